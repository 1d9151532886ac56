/* SPDX-License-Identifier: MIT */
/*
 * What the methods of Directory and File say to those who watch, and the methods of Watcher.  While
 * there is no Watcher, nothing here costs more than finding that out.
 */
#ifndef FILES_WATCHING_H
#define FILES_WATCHING_H

#include <capos/schema/service_server.h>
#include <capos/server.h>

#include "handle.h"

/* Words with this bit and without the other two are of Watchers; no handle has it. */
#define WATCHING_BIT (1ull << 61)

extern const struct watcher_ops watcher_ops; /* of a struct watcher */

void watching_start(void);
int watching_make(struct msg_call *call, const struct directory_make_watcher_params *in,
                  struct directory_make_watcher_results *out);
int watching_add(struct inode *inode, const struct directory_watch_params *in,
                 struct directory_watch_results *out);
/* NULL: no such Watcher. */
struct watcher *watching_find(uint64_t word);
/* The Watcher's last capability is gone. */
void watching_release(struct watcher *watcher);

/* That something happened to the entry, to what it leads to, or to one of these alone. */
void watching_entry(uint32_t event, uint32_t cookie, struct inode *directory, const char *name,
                    uint32_t length, struct inode *inode);
void watching_self(uint32_t event, struct inode *inode);
/* It is gone: its watches end with that event. */
void watching_end(struct inode *inode);
void watching_both(uint32_t event, struct inode *directory, const char *name, uint32_t length,
                   struct inode *inode);
/* To what is open, by whatever name it has where it was opened. */
void watching_open(uint32_t event, struct handle *handle);
/* The same of a directory, which has one name. */
void watching_directory(uint32_t event, struct inode *directory);

uint32_t watching_cookie(void);
/* Files that are open follow their names: one was moved, or is removed now. */
void watching_moved(struct inode *inode, struct inode *from, struct inode *to);
void watching_removed(struct inode *inode, struct inode *from, const char *name, uint32_t length);
/* File.used. */
int watching_used(struct handle *handle, const struct file_used_params *in);
/* Loads and stores of the file are reported by clients if a watch wants them. */
void watching_contents(struct handle *handle);

#endif
