/* SPDX-License-Identifier: MIT */
/*
 * Words for results: a negative enum cap_error or a positive Status, as logs show them.
 */
#include <stddef.h>

#include <capos/cap.h>

static const char *const error_texts[] = {
        [0] = "success",
        [-CAP_EBADCAP] = "no such capability",
        [-CAP_ETYPE] = "wrong kind of object",
        [-CAP_ERIGHTS] = "capability lacks the right",
        [-CAP_EMETHOD] = "no such method",
        [-CAP_EINVAL] = "invalid argument",
        [-CAP_EFAULT] = "bad address",
        [-CAP_ENOMEM] = "out of memory",
        [-CAP_ENOSLOT] = "capability table full",
        [-CAP_ETOOBIG] = "message too big",
        [-CAP_EMESSAGE] = "malformed message",
        [-CAP_ECANCELED] = "cancelled",
        [-CAP_EGONE] = "server has ended",
        [-CAP_EAGAIN] = "would have to wait",
        [-CAP_EBUSY] = "already held",
        [-CAP_ENOENT] = "not found",
        [-CAP_EINTR] = "interrupted",
        [-CAP_ETIMEDOUT] = "timed out",
        [-CAP_ENOEXEC] = "not an executable for this machine",
        [-CAP_EOPCODE] = "no such operation",
        [-CAP_EEXIST] = "address range taken",
};

/* In the order of enum Status in schema/status.capnp. */
static const char *const status_texts[] = {
        "success",
        "access denied",
        "invalid argument",
        "malformed address",
        "not supported",
        "out of memory",
        "no buffers",
        "would block",
        "connection refused",
        "connection reset",
        "connection aborted",
        "timed out",
        "network unreachable",
        "host unreachable",
        "network down",
        "address in use",
        "address not available",
        "address family not supported",
        "not connected",
        "already connected",
        "in progress",
        "message too long",
        "closed",
        "name not found",
        "name has no such data",
        "no name server answered",
        "no such entry",
        "exists",
        "not a directory",
        "is a directory",
        "directory not empty",
        "no space",
        "read-only",
        "name too long",
        "file too big",
        "busy",
        "too many links",
        "not permitted",
        "input/output error",
        "destination required",
        "would deadlock",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *cap_error_text(int result)
{
	const char *text = NULL;

	if (result > 0 && (size_t)result < COUNT(status_texts))
		text = status_texts[result];
	else if (result <= 0 && (size_t)(-(int64_t)result) < COUNT(error_texts))
		text = error_texts[-(int64_t)result];
	return text ? text : "unknown error";
}
