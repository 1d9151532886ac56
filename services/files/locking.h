/* SPDX-License-Identifier: MIT */
/*
 * The methods of File and Directory that lock, for any service that has files: the locks of each
 * are a list that the service keeps.  Functions answer a Status.
 */
#ifndef FILES_LOCKING_H
#define FILES_LOCKING_H

#include <capos/schema/service_server.h>
#include <capos/server.h>

#include "locks.h"

/* Words with this bit and the number of a process are of its LockOwner. */
#define LOCKING_OWNER_BIT (1ull << 62)

/* Once, before any lock is taken.  of_call: where the slab that the call being handled draws on is
 * said. */
void locking_start(struct locks *locks, struct slab **of_call);

extern const struct lock_owner_ops lock_owner_ops; /* of the process's number, uint64_t */
int locking_owner(struct msg_call *call, uint32_t session,
                  struct directory_lock_owner_results *out);
/* The LockOwner with this word is gone. */
void locking_release(uint64_t word);

/* opened: OPEN_READ, OPEN_WRITE of the handle.  Who could not open a file so keeps nobody from it
 * by a lock: accessDenied. */
int locking_lock(struct lock_list **list, uint32_t opened, struct msg_call *call,
                 const struct file_lock_params *in);
int locking_find(const struct lock_list *list, struct msg_call *call,
                 const struct file_find_lock_params *in, struct file_find_lock_results *out);
int locking_stop_waiting(struct lock_list **list, struct msg_call *call,
                         const struct file_stop_waiting_params *in);
int locking_drop(struct lock_list **list, struct msg_call *call);
/* The same for Directory's methods; list: NULL when this one was not opened, notSupported. */
int locking_lock_directory(struct lock_list **list, uint32_t opened, struct msg_call *call,
                           const struct directory_lock_whole_params *in);
int locking_stop_waiting_directory(struct lock_list **list, struct msg_call *call);

#endif
