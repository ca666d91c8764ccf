/* The shapes of answers, in a short notation from which JSON Schema is made.
 *
 *   string integer number boolean object any   what JSON has
 *   uuid time                                  strings of that form
 *   Name                                       a shape of the table
 *   [T]    a list of T          {a: T, b: T}    an object; all its members are always there
 *   <T>    an object whose members are all T    T?  T or null */
#ifndef HTTP_SCHEMA_H
#define HTTP_SCHEMA_H

#include "base/jsonw.h"

struct schema {
    const char *name, *shape;
};
extern const struct schema schemas[];
extern const size_t schema_count;

/* Writes the JSON Schema of a shape. */
void schema_write(struct jsonw *j, const char *shape);

#endif
