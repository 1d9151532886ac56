/* SPDX-License-Identifier: MIT */
/*
 * The one place where results of calls become errno values.  Pure.  An operation that the process
 * lacks a capability for is EACCES; a server that has ended is EIO, since POSIX knows no such
 * thing.
 */
#include <errno.h>

#include <capos/abi.h>
#include <capos/schema/status.h>

#include "core/fd.h"

static int errno_of_kernel(int result)
{
	switch (result) {
	case CAP_EBADCAP:
	case CAP_ERIGHTS:
		return -EACCES;
	case CAP_EINVAL:
	case CAP_ETYPE:
	case CAP_EMETHOD:
	case CAP_EOPCODE:
		return -EINVAL;
	case CAP_EFAULT:
		return -EFAULT;
	case CAP_ENOMEM:
		return -ENOMEM;
	case CAP_ENOSLOT:
		return -EMFILE;
	case CAP_ETOOBIG:
		return -EMSGSIZE;
	case CAP_ECANCELED:
	case CAP_EINTR:
		return -EINTR;
	case CAP_EAGAIN:
		return -EAGAIN;
	case CAP_EBUSY:
		return -EBUSY;
	case CAP_ENOENT:
		return -ENOENT;
	case CAP_ETIMEDOUT:
		return -ETIMEDOUT;
	case CAP_ENOEXEC:
		return -ENOEXEC;
	case CAP_EEXIST:
		return -EEXIST;
	default: /* CAP_EMESSAGE, CAP_EGONE: the server lied or died */
		return -EIO;
	}
}

static const unsigned char status_errno[] = {
        [STATUS_ACCESS_DENIED] = EACCES,
        [STATUS_INVALID_ARGUMENT] = EINVAL,
        [STATUS_MALFORMED_ADDRESS] = EINVAL,
        [STATUS_NOT_SUPPORTED] = EOPNOTSUPP,
        [STATUS_NO_MEMORY] = ENOMEM,
        [STATUS_NO_BUFFERS] = ENOBUFS,
        [STATUS_WOULD_BLOCK] = EAGAIN,
        [STATUS_CONNECTION_REFUSED] = ECONNREFUSED,
        [STATUS_CONNECTION_RESET] = ECONNRESET,
        [STATUS_CONNECTION_ABORTED] = ECONNABORTED,
        [STATUS_TIMED_OUT] = ETIMEDOUT,
        [STATUS_NETWORK_UNREACHABLE] = ENETUNREACH,
        [STATUS_HOST_UNREACHABLE] = EHOSTUNREACH,
        [STATUS_NETWORK_DOWN] = ENETDOWN,
        [STATUS_ADDRESS_IN_USE] = EADDRINUSE,
        [STATUS_ADDRESS_NOT_AVAILABLE] = EADDRNOTAVAIL,
        [STATUS_ADDRESS_FAMILY] = EAFNOSUPPORT,
        [STATUS_NOT_CONNECTED] = ENOTCONN,
        [STATUS_ALREADY_CONNECTED] = EISCONN,
        [STATUS_IN_PROGRESS] = EINPROGRESS,
        [STATUS_MESSAGE_TOO_LONG] = EMSGSIZE,
        [STATUS_CLOSED] = EPIPE,
        [STATUS_NAME_NOT_FOUND] = ENOENT,
        [STATUS_NO_DATA] = ENOENT,
        [STATUS_TRY_AGAIN] = EAGAIN,
        [STATUS_NO_ENTRY] = ENOENT,
        [STATUS_EXISTS] = EEXIST,
        [STATUS_NOT_DIRECTORY] = ENOTDIR,
        [STATUS_IS_DIRECTORY] = EISDIR,
        [STATUS_NOT_EMPTY] = ENOTEMPTY,
        [STATUS_NO_SPACE] = ENOSPC,
        [STATUS_READ_ONLY] = EROFS,
        [STATUS_NAME_TOO_LONG] = ENAMETOOLONG,
        [STATUS_FILE_TOO_BIG] = EFBIG,
        [STATUS_BUSY] = EBUSY,
        [STATUS_TOO_MANY_LINKS] = ELOOP,
        [STATUS_NOT_PERMITTED] = EPERM,
        [STATUS_IO_ERROR] = EIO,
        [STATUS_DESTINATION_REQUIRED] = EDESTADDRREQ,
        [STATUS_WOULD_DEADLOCK] = EDEADLK,
        [STATUS_NO_DEVICE] = ENXIO,
        [STATUS_REMOVED] = EIDRM,
        [STATUS_NO_MESSAGE] = ENOMSG,
        [STATUS_TOO_BIG] = E2BIG,
        [STATUS_OUT_OF_RANGE] = ERANGE,
        [STATUS_CROSS_VOLUME] = EXDEV,
        [STATUS_OVER_QUOTA] = EDQUOT,
};

int errno_of(int result)
{
	if (!result)
		return 0;
	if (result < 0)
		return errno_of_kernel(result);
	if ((unsigned)result < sizeof(status_errno) && status_errno[result])
		return -status_errno[result];
	return -EIO; /* a Status of a newer server */
}
