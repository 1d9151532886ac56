# SPDX-License-Identifier: MIT
# What a server answers when it cannot do what was asked: the positive results of a CALL.  Every
# value has one meaning in every interface; libcapos-posix maps each to one errno.

@0xb6d0f7a1c5e43921;

enum Status {
  ok @0;
  accessDenied @1;         # EACCES: the capability does not extend to this
  invalidArgument @2;      # EINVAL
  malformedAddress @3;     # EINVAL: an address is not 0 (where allowed), 4 or 16 bytes long
  notSupported @4;         # EOPNOTSUPP
  noMemory @5;             # ENOMEM
  noBuffers @6;            # ENOBUFS: a limit of the server on what one client may hold
  wouldBlock @7;           # EAGAIN
  connectionRefused @8;    # ECONNREFUSED
  connectionReset @9;      # ECONNRESET
  connectionAborted @10;   # ECONNABORTED
  timedOut @11;            # ETIMEDOUT
  networkUnreachable @12;  # ENETUNREACH
  hostUnreachable @13;     # EHOSTUNREACH
  networkDown @14;         # ENETDOWN: no link or no address yet
  addressInUse @15;        # EADDRINUSE
  addressNotAvailable @16; # EADDRNOTAVAIL
  addressFamily @17;       # EAFNOSUPPORT
  notConnected @18;        # ENOTCONN
  alreadyConnected @19;    # EISCONN
  inProgress @20;          # EINPROGRESS or EALREADY
  messageTooLong @21;      # EMSGSIZE
  closed @22;              # EPIPE: this side was closed
  nameNotFound @23;        # EAI_NONAME: the name does not exist
  noData @24;              # EAI_NODATA: the name exists, without an address of this kind
  tryAgain @25;            # EAI_AGAIN: no name server answered
  noEntry @26;             # ENOENT
  exists @27;              # EEXIST
  notDirectory @28;        # ENOTDIR
  isDirectory @29;         # EISDIR
  notEmpty @30;            # ENOTEMPTY
  noSpace @31;             # ENOSPC
  readOnly @32;            # EROFS
  nameTooLong @33;         # ENAMETOOLONG
  fileTooBig @34;          # EFBIG
  busy @35;                # EBUSY
  tooManyLinks @36;        # EMLINK or ELOOP
  notPermitted @37;        # EPERM
  ioError @38;             # EIO: a device answered with a failure
  destinationRequired @39; # EDESTADDRREQ: a datagram without a destination
  wouldDeadlock @40;       # EDEADLK: those who wait would wait for each other
  noDevice @41;            # ENXIO: a name of a device that nothing serves
  removed @42;             # EIDRM: it was removed while the call waited
  noMessage @43;           # ENOMSG: none that was asked for is there
  tooBig @44;              # E2BIG: more than the caller takes, or than a call may have
  outOfRange @45;          # ERANGE
  elsewhere @46;           # no errno: a path leads into another volume, or out of this one; see Directory.follow
  crossVolume @47;         # EXDEV: two names that must be of one volume are not
  overQuota @48;           # EDQUOT: the host grants no more
}
