/* SPDX-License-Identifier: MIT */
/*
 * The four texts that are written for a schema file, each by a source file of its own.
 */
#ifndef CAPNPC_CAPOS_OUTPUT_H
#define CAPNPC_CAPOS_OUTPUT_H

#include "schemas.h"

std::string
types_text(const SchemaFile &file); /* FILE.h: types, and functions that read and write them */
std::string server_text(const SchemaFile &file); /* FILE_server.h: the tables of handlers */
std::string client_text(const SchemaFile &file); /* FILE_client.h: stubs */
std::string source_text(const SchemaFile &file); /* FILE.c: what FILE.h and FILE_server.h declare */

#endif
