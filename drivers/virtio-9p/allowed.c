/* SPDX-License-Identifier: MIT */
/*
 * What the caller's user may do in a volume, by the owners and modes that the host's files have:
 * the host itself goes by the user who started the machine.  User 0 is asked nothing, so that it
 * costs no request.
 */
#include "drivers/virtio-9p/volume_inside.h"

#define MODE_SET_GROUP 02000u
#define MODE_SET_IDS   06000u

static int permissions_of(struct p9 *p, uint32_t fid, struct permissions *out)
{
	struct p9_attributes a;
	int result = p9_get(p, fid, &a);

	if (!result)
		*out = (struct permissions){volume_type_of(a.mode), a.mode & 07777, a.user,
		                            a.group};
	return result;
}

/* A Status of access.h as an error number. */
static int error_of(int status)
{
	return status == STATUS_NOT_PERMITTED ? -P9_EPERM : status ? -P9_EACCES : 0;
}

int walk_check_search(const struct walk *w)
{
	struct permissions here;
	int result;

	if (!w->who || !w->who->user)
		return 0;
	result = permissions_of(w->p, w->at, &here);
	return result ? result : error_of(access_check(w->who, &here, ACCESS_EXECUTE));
}

int allowed_access(struct volume *v, uint32_t fid, uint32_t wanted)
{
	struct permissions file;
	int result;

	if (!v->who.user || !wanted)
		return 0;
	result = permissions_of(&v->p9, fid, &file);
	return result ? result : error_of(access_check(&v->who, &file, wanted));
}

int allowed_open(struct volume *v, uint32_t fid, uint32_t wanted)
{
	struct permissions file;
	int result;

	if (!v->who.user || !wanted)
		return 0;
	result = permissions_of(&v->p9, fid, &file);
	return result ? result : error_of(access_check_open(&v->who, &file, wanted));
}

int allowed_add(struct volume *v, uint32_t directory)
{
	int result = v->who.user ? permissions_of(&v->p9, directory, &v->made_in) : 0;

	return result || !v->who.user ? result : error_of(access_check_add(&v->who, &v->made_in));
}

int allowed_remove(struct volume *v, uint32_t directory, uint32_t fid)
{
	struct permissions from, file;
	int result;

	if (!v->who.user)
		return 0;
	result = permissions_of(&v->p9, directory, &from);
	if (!result)
		result = permissions_of(&v->p9, fid, &file);
	return result ? result : error_of(access_check_remove(&v->who, &from, &file));
}

int allowed_move(struct volume *v, const struct walk *from, const struct walk *to)
{
	struct permissions above, below, file;
	int result;

	if (!v->who.user)
		return 0;
	result = permissions_of(&v->p9, from->parent, &above);
	if (!result)
		result = permissions_of(&v->p9, to->parent, &below);
	if (!result)
		result = permissions_of(&v->p9, from->fid, &file);
	if (!result)
		result = error_of(access_check_move(&v->who, &above, &below,
		                                    from->parent_qid.path == to->parent_qid.path,
		                                    &file));
	if (!result && to->fid != P9_NO_FID)
		result = allowed_remove(v, to->parent, to->fid);
	return result;
}

int allowed_link(struct volume *v, uint32_t fid)
{
	struct permissions file;
	struct file_stat stat;
	int result = v->who.user ? volume_get(v, fid, &stat) : 0;

	if (result || !v->who.user)
		return result;
	file = (struct permissions){stat.type, stat.mode, stat.user, stat.group};
	return error_of(access_check_link(&v->who, &file));
}

static int change_of(const struct who *who, const struct permissions *file,
                     struct p9_change *change)
{
	int result = 0;

	change->mode = access_mode(who, file, change->mode);
	if (change->same_owner && access_mode_owned(who, file) != file->mode) {
		change->what |= P9_SET_MODE;
		change->mode = access_mode_owned(who, file);
		return 0;
	}

	if (change->what & P9_SET_MODE && !access_owns(who, file))
		result = -P9_EPERM;
	if (!result && change->what & (P9_SET_USER | P9_SET_GROUP))
		result = error_of(access_check_owner(
		        who, file, change->what & P9_SET_USER ? change->user : KEEP_OWNER,
		        change->what & P9_SET_GROUP ? change->group : KEEP_OWNER));
	if (!result && change->what & (P9_SET_ACCESS | P9_SET_MODIFY))
		result = error_of(access_check_times(who, file, change->now));
	return result;
}

int allowed_change(struct volume *v, uint32_t fid, struct p9_change *change)
{
	struct permissions file;
	int result;

	if (!v->who.user && !change->same_owner)
		return 0;
	result = permissions_of(&v->p9, fid, &file);
	return result ? result : change_of(&v->who, &file, change);
}

int allowed_change_open(struct volume *v, const struct volume_handle *file,
                        struct p9_change *change)
{
	const struct file_stat *stat = &file->stat;
	const struct permissions last = {stat->type, stat->mode, stat->user, stat->group};

	/* The host does not know it any more. */
	if (file->nameless)
		return change_of(&v->who, &last, change);
	return allowed_change(v, file->fid, change);
}

uint32_t allowed_mode(const struct volume *v, uint32_t mode)
{
	return v->who.user ? access_mode_made(&v->who, &v->made_in, mode) : mode;
}

void take_set_ids(struct volume *v, struct volume_handle *file)
{
	struct permissions now;
	struct p9_change change = {.what = P9_SET_MODE};

	if (!v->who.user || file->nameless || !(file->stat.mode & MODE_SET_IDS) ||
	    permissions_of(&v->p9, file->fid, &now))
		return;
	change.mode = access_mode_written(&v->who, &now);
	if (change.mode == now.mode || !p9_set(&v->p9, file->fid, &change))
		mode_changed(v, file->qid.path, change.mode);
}

void mode_changed(struct volume *v, uint64_t path, uint32_t mode)
{
	for (uint32_t i = 0; i < v->used; i++)
		if (v->handles[i].used && v->handles[i].qid.path == path)
			v->handles[i].stat.mode = (uint16_t)mode;
}

void give_to_caller(struct volume *v, uint32_t fid, uint32_t mode)
{
	const bool inherits = v->made_in.mode & MODE_SET_GROUP;
	const struct p9_change change = {.what = P9_SET_USER | P9_SET_GROUP,
	                                 .user = v->who.user,
	                                 .group = inherits ? v->made_in.group : v->who.group};
	const struct p9_change again = {.what = P9_SET_MODE, .mode = mode};

	/* Where the host refuses, it belongs to the user who started the machine. */
	if (v->who.user && !p9_set(&v->p9, fid, &change) && mode & MODE_SET_IDS)
		(void)p9_set(&v->p9, fid, &again); /* which the host took away */
}

void give_name_to_caller(struct volume *v, uint32_t directory, struct p9_text name)
{
	struct p9_qid qid;
	uint32_t walked;

	if (!v->who.user || p9_walk(&v->p9, directory, FID_ABOVE, &name, 1, &qid, &walked) ||
	    !walked)
		return;
	give_to_caller(v, FID_ABOVE, 0);
	p9_clunk(&v->p9, FID_ABOVE);
}

/* The host's mkdir hands on the bit, and its server sets the mode then that was asked for.  The
 * directory above is asked about only now, since most who make one look whether it is there so. */
void hand_on_group(struct volume *v, uint32_t directory, struct p9_text name, uint32_t mode)
{
	const struct p9_change change = {.what = P9_SET_MODE, .mode = mode | MODE_SET_GROUP};
	struct p9_qid qid;
	uint32_t walked;

	if (!v->who.user && permissions_of(&v->p9, directory, &v->made_in))
		return;
	if (!(v->made_in.mode & MODE_SET_GROUP) ||
	    p9_walk(&v->p9, directory, FID_ABOVE, &name, 1, &qid, &walked) || !walked)
		return;
	(void)p9_set(&v->p9, FID_ABOVE, &change);
	p9_clunk(&v->p9, FID_ABOVE);
}
