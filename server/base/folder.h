/* Folders. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include "base/err.h"

/* Waits until the folder that `file` is in is on the disk: a new name, as by link() or rename(), outlives a power cut only after that. */
bool folder_sync(const char *file, struct err *e);

#endif
