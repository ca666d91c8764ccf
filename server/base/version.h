#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#ifndef TELLTALE_VERSION
#define TELLTALE_VERSION "0.1.0"
#endif

#endif
