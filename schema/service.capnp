# SPDX-License-Identifier: MIT
# What the console driver, the files service and init serve.  Index and Status conventions as in network.capnp.

@0xc7e2b8d1f0a94356;

using import "network.capnp".ChannelRef;

interface ByteStream {
  # One direction of a console: the program's stdin (channel's receive queue), stdout or stderr (its send queue).
  attach @0 (wakeIndex :UInt16, wakeBits :UInt64) -> (channel :ChannelRef);
  # The one channel of this stream; a second attach answers the same memory with the new wake event.
  drain @1 () -> ();
  # Answers when all that was written so far has been taken by the host.
  windowSize @2 () -> (columns :UInt16, rows :UInt16);
  # notSupported where the console is no terminal.
}

interface Directory {
  # Each call is allowed or refused by the permission bits, for the users and groups of the process that makes it (its
  # label, capos/identity.h), as POSIX has it: accessDenied, or notPermitted of what only the owner or user 0 may do.
  #
  # A directory of the files service, and the root it belongs to: a path with a leading slash starts at the root,
  # any other at the directory, and neither ".." nor a symlink leads above the root.  Paths are UTF-8 or any bytes
  # but NUL, at most 4095; components at most 255.
  open @0 (path :Text, flags :UInt32, mode :UInt32) -> (fileIndex :UInt16, stat :FileStat, contentsIndex :UInt16,
           hasContents :Bool, moved :UInt64);
  # A File or (stat.type) a Directory, which keeps this one's root.  flags: OpenFlags, or-ed.  hasContents: with
  # openContents, of a File: what File.contents gives came too; with openExecute also, what File.memory gives.  moved: the counter changesMoved then.
  stat @1 (path :Text, followLink :Bool) -> (stat :FileStat);
  list @2 (position :UInt64, attributes :Bool)
      -> (entries :List(DirectoryEntry), next :UInt64, stats :List(FileStat), counter :UInt16, version :UInt64);
  # "." and ".." included; as many as fit the caller's buffer.  position 0: from the start; next: where to go on,
  # entries empty at the end.  attributes: stats has what stat says of each entry, a symlink itself; counter and version
  # are the directory's, as in FileStat.  stats is empty where there is nothing to remember.
  makeDirectory @3 (path :Text, mode :UInt32) -> ();
  remove @4 (path :Text, directory :Bool) -> ();
  # A removed file lives on while it is held.
  rename @5 (from :Text, to :Text, flags :UInt32) -> ();
  # flags: moveNoReplace (exists when there is something of that name), moveExchange (each name leads to what the other
  # did; both exist), or 0.
  link @6 (from :Text, to :Text) -> ();
  symlink @7 (target :Text, path :Text) -> ();
  readLink @8 (path :Text) -> (target :Text);
  setMode @9 (path :Text, mode :UInt32, followLink :Bool) -> ();
  setTimes @10 (path :Text, accessNs :Int64, modifyNs :Int64, followLink :Bool, now :Bool) -> ();
  # Unix time in nanoseconds; INT64_MIN leaves one as it is.  now: both are set to the present, whatever they say, which
  # who may write the file may do as well.
  space @11 () -> (blockSize :UInt32, blocks :UInt64, freeBlocks :UInt64, files :UInt64);
  subdirectory @12 (path :Text) -> (directoryIndex :UInt16);
  # A Directory whose root is that directory: attenuation for another program.
  path @13 () -> (path :Text, gone :Bool);
  # Where the directory is, from its root: "/", "/tmp".  gone: it was removed, or one that it was in, and this is where it
  # was; a Directory of a volume answers noEntry then.
  openSession @14 (word :UInt64, accountIndex :UInt16) -> ();
  # Of the root that the manifest exports alone (else notPermitted), for the owner of the service's endpoint: the object
  # that it mints there with this word (bit 63 set) is from now on a Directory like the root (calls of it that arrived
  # before wait for this), whose session draws on the Account sent (right CALL): pages written, inodes, names, snapshots.  When the account has no more, writes end with
  # noSpace and memory with noMemory.  The session ends with the object's last capability and its last open file; what
  # was written stays, and stays charged, until it is removed.  exists: the word is in use.  noBuffers: too many sessions.
  # The account must be the kernel's: the service waits for its answers.
  lockOwner @15 () -> (ownerIndex :UInt16);
  # A LockOwner for the process that calls, which has one at most (exists), without the right COPY: so it ends with the
  # process, and a fork has none.
  makeFifo @16 (path :Text, mode :UInt32) -> ();
  # A file whose contents are fifoBytes of the openers' own: openers see it as the type fifo of size 0, open it with
  # openRead and openWrite, and agree in the contents on what they move.  Zero at first, and again when nobody has had
  # it open.
  makeNode @17 (path :Text, type :FileType, mode :UInt32, device :UInt64) -> ();
  # A name with a type (characterDevice, blockDevice) and a number that stat tells.  It is authority over nothing: opening
  # it fails with noDevice.  With the type socket it is opened and shared as a FIFO is.
  setOwner @18 (path :Text, user :UInt32, group :UInt32, followLink :Bool) -> ();
  # Changes who owns it; keepOwner leaves one as it is.  The set-id bits of a file that can be executed go.
  follow @19 (path :Text, followLink :Bool) -> (end :FollowEnd, path :Text, directoryIndex :UInt16, volume :UInt32);
  # Where a path goes on that another method answered with `elsewhere`, and which volume that is (0: the files of the
  # files service; here: the Directory's own).
  volumes @20 () -> (volumes :List(MountedVolume));
  # Those that are mounted in the files service's tree; notSupported by a Directory of a volume.
  makeWatcher @21 (key :UInt64, wakeIndex :UInt16, wakeBits :UInt64) -> (watcherIndex :UInt16);
  # A Watcher of this Directory's session, which pays for its watches and events.  The Event sent (right SIGNAL) is
  # signalled when its queue was empty and is not any more.  key: by which watch names it, of the caller's choice and
  # nobody else's business, so at random.  exists: the session has one with this key; noBuffers: it has 128.
  # Of a Directory of a volume: the one with this key if there is one; its events and watches have 256 KiB of the
  # driver's, for all who watch there.
  watch @22 (path :Text, followLink :Bool, directory :Bool, key :UInt64, mask :UInt32, number :UInt32)
      -> (watch :UInt32);
  # From now on the session's Watcher with this key is told of what the mask says (watchAccess and so on, or-ed) about
  # the file or directory, and for a directory about its entries.  It needs
  # the permission to read.  If the Watcher watches it already, its mask is changed; exists: with watchNew.  directory:
  # notDirectory for anything else.  noSpace: it has 8192 watches, or the session's account has no more.  number: of the
  # watch if it is new, 0: the Watcher's next.  A Directory of a volume answers notSupported to 0: who has a Watcher
  # there as well gives all watches numbers of one Watcher (Watcher.number).  Here changes of the host are not told.
  linkFile @23 (key :UInt64, path :Text) -> ();
  # The file whose File was offered with this key in this session (File.offer) has this name too from now on; the offer is
  # taken.  noEntry: there is no such offer; or the file lost its last name, or was made never to have one.
  # notPermitted: it is not open to write, and was opened outside of this Directory's root.  A Directory of a volume
  # answers crossVolume where there is no such offer.
  changes @24 () -> (memoryIndex :UInt16);
  # A MemoryObject (rights READ and COPY) of changesCounters counters of 64 bits, by which a client knows whether what it
  # was told of a file or directory (FileStat.counter) is still so: the counter is increased by each change that the
  # service makes or is told of.  They say how often something happened to one of the many files of a counter, and not
  # what or to which; only a Directory whose root is that of all files answers, whose holder may ask about each of them
  # anyway: else notPermitted.  notSupported by a Directory of a volume.
  lockWhole @25 (type :LockType, wait :Bool, wakeIndex :UInt16, wakeBits :UInt64) -> ();
  # As File.lock of kind whole, of a directory that open gave; notSupported of others.
  stopWaiting @26 () -> ();
  # As File.stopWaiting of kind whole.
  makeQueue @27 (path :Text, mode :UInt32, size :UInt64, head :Data) -> ();
  # A file of the type queue: so many bytes (at most queueBytesMax), zeroes behind the head, which stay so many.  Who
  # opens it to read or to write shares them and may store to them, as those of a FIFO, and agrees with the others in
  # what they mean; they stay when nobody has it open.  It keeps its one name: rename and link of it are notPermitted.
  # invalidArgument: the head is longer, or the size is 0 or too large.  notSupported by a Directory of a volume.
  sync @28 () -> ();
  # Of a volume: answers when what was written to files that are open there is on the host's disk.  notSupported by the
  # files service, which has no disk.
  openOffered @29 (key :UInt64, flags :UInt32) -> (fileIndex :UInt16, stat :FileStat, contentsIndex :UInt16,
                   hasContents :Bool);
  # Another File of the file whose File was offered with this key in this session, as open gives one, if the permission
  # bits allow that: with or without a name.  flags: openRead, openWrite, openTruncate, openContents, openUntold.  The
  # offer is taken.  noEntry: there is no such offer.  accessDenied: also when it is to be read or written, and the File
  # that was offered is not, and was opened outside of this Directory's root.  notSupported by a Directory of a volume.
  openFollowing @30 (name :Text) -> (entries :List(DirectoryEntry), stats :List(FileStat));
  # For who opens one file after the other: Files of the regular files from that entry on, as list has them, at most
  # openFollowingMax and none that is large; there may be fewer than there are, or none.  Of the i-th entry the File is
  # capability 2i and what File.contents gives 2i + 1, as from open with openRead, openContents and openUntold, and stats
  # has its attributes; there open says whether it is open besides.  A File counts as opened by the program only when it
  # says so (File.used), so the client gives back what the program does not open before it sleeps.  None while there is
  # a Watcher.  notSupported by a Directory of a volume.
}

interface Watcher {
  # What happened to the files that it watches, in order; equal ones that follow each other are one.  Its numbers of
  # watches begin at 1.
  read @0 (length :UInt32) -> (data :Data);
  # Takes events, as many as fit into length bytes and 61440: of each the watch (32 bits, as all four), the event with
  # watchDirectory when it happened to a directory, a cookie that is the same and not 0 for both halves of a move, the
  # length of the name that follows; then the name of the directory's entry, padded with 1 to 16 zeroes to a multiple of
  # 16.  Without a name (length 0): what is watched itself.  wouldBlock: there are none.  invalidArgument: the first does
  # not fit.
  ready @1 () -> (bytes :UInt64);
  # That reading all of them would give.
  remove @2 (watch :UInt32) -> ();
  # Ends one; a last event, watchIgnored, says so, as when a watched file goes.  invalidArgument: it has no such watch.
  number @3 (back :UInt32) -> (watch :UInt32);
  # The number that the next watch would have, which no other gets; back: that one is not needed, and may be used again.
}

# What a Watcher tells.  The numbers are inotify's.
const watchAccess :UInt32 = 0x1;
const watchModify :UInt32 = 0x2;
const watchAttributes :UInt32 = 0x4;
const watchCloseWrite :UInt32 = 0x8;
const watchCloseNoWrite :UInt32 = 0x10;
const watchOpen :UInt32 = 0x20;
const watchMovedFrom :UInt32 = 0x40;
const watchMovedTo :UInt32 = 0x80;
const watchCreate :UInt32 = 0x100;
const watchDelete :UInt32 = 0x200;
const watchDeleteSelf :UInt32 = 0x400;
const watchMoveSelf :UInt32 = 0x800;
const watchAll :UInt32 = 0xfff;
# Told without being asked for: events were lost (of no watch: 0xffffffff); the watch has ended.
const watchOverflow :UInt32 = 0x4000;
const watchIgnored :UInt32 = 0x8000;
const watchDirectory :UInt32 = 0x40000000;
# How it is to watch: nothing of entries that were removed and are still open; the mask is to be new; it adds to the one
# before; the watch ends with its first event.
const watchNoUnlinked :UInt32 = 0x4000000;
const watchNew :UInt32 = 0x10000000;
const watchMore :UInt32 = 0x20000000;
const watchOnce :UInt32 = 0x80000000;

enum FollowEnd {
  here @0;    # it stays in this volume
  root @1;    # at the caller's root, with the path that was answered
  volume @2;  # at the Directory that came, with the path that was answered
}

struct MountedVolume {
  # A directory of the host, served by a process of its own, which answers Directory and File as the files service does
  # but for what its device cannot: File.memory, contents and grow (notSupported; the bytes go by messages, or by
  # share), nodes of devices (notPermitted), holes (File.allocate).  The methods that take a path answer `elsewhere`
  # where it leads into a volume or out of one.
  path @0 :Text;      # where it is mounted
  number @1 :UInt32;  # from 1; FileStat.volume of its files
}

const keepOwner :UInt32 = 0xffffffff;
const changesCounters :UInt32 = 4096;
const changesMoved :UInt32 = 0;  # the counter of names of directories and symlinks: a path may lead elsewhere
const changesWatchers :UInt32 = 1;  # not a counter of changes: how many Watchers there are
const changesServer :UInt32 = 2;
# no counter either: its lower half is a lock that the service holds as long as it lives (capos/abi.h, robust locks)
const changesFirst :UInt32 = 3;  # the first that FileStat.counter names
const fifoBytes :UInt64 = 69632;
const queueBytesMax :UInt64 = 1048576;
const openFollowingMax :UInt32 = 8;  # two capabilities each, of which a message has 16

interface LockOwner {
  # While it exists, record locks of the process that asked for it are kept; they go with it.
  drop @0 () -> ();
  # All of them go now.
}

const moveNoReplace :UInt32 = 1;
const moveExchange :UInt32 = 2;

const openRead :UInt32 = 1;
const openWrite :UInt32 = 2;
const openCreate :UInt32 = 4;
const openExclusive :UInt32 = 8;
const openTruncate :UInt32 = 16;
const openDirectory :UInt32 = 32;
const openNoFollow :UInt32 = 64;
const openContents :UInt32 = 128;
const openUntold :UInt32 = 512;     # those who watch are told neither of the opening nor of the closing
const openExecute :UInt32 = 1024;   # also the permission to execute is needed; of a directory: to search it
const openAnonymous :UInt32 = 256;  # path names a directory: a new file that has no name in it; with openExclusive it
                                    # never gets one

enum FileType { unknown @0; regular @1; directory @2; symlink @3; fifo @4; characterDevice @5; blockDevice @6; socket @7;
                queue @8; }

struct FileStat {
  inode @0 :UInt64;
  type @1 :FileType;
  mode @2 :UInt32;       # permission bits
  links @3 :UInt32;
  size @4 :UInt64;
  accessNs @5 :Int64;    # Unix time in nanoseconds
  modifyNs @6 :Int64;
  changeNs @7 :Int64;
  blocks @8 :UInt64;     # of 512 bytes, in use
  device @9 :UInt64;     # of the types characterDevice and blockDevice: what makeNode was given
  user @10 :UInt32;      # who made it, or as setOwner noted them
  group @11 :UInt32;
  volume @12 :UInt32;    # 0, or the number of the volume that the file is in; inodes are unique in a volume
  # All of it is so as long as the counter (of Directory.changes) says version; 0: is not to be remembered.  open: and as
  # long as MemoryObject.status of the contents says the same changedNs, loadedNs and pages, and size is as above.
  counter @13 :UInt16;
  open @14 :Bool;
  version @15 :UInt64;
  changedNs @16 :UInt64;
  loadedNs @17 :UInt64;
  pages @18 :UInt64;
}

struct DirectoryEntry {
  inode @0 :UInt64;
  type @1 :FileType;
  name @2 :Text;
  position @3 :UInt64;   # where list goes on behind this entry
}

interface File {
  # An open file.  Offsets are the client's business, so that they can be shared or not as POSIX wants.  Most reading and
  # writing is a matter between the client and the MemoryObject that contents gives; the methods here do the same in a
  # message.
  read @0 (offset :UInt64, length :UInt32) -> (data :Data);
  # At most 61440 bytes; fewer only at the end.
  write @1 (offset :UInt64, data :Data) -> (written :UInt32, size :UInt64);
  append @2 (data :Data) -> (written :UInt32, size :UInt64);
  stat @3 () -> (stat :FileStat);
  truncate @4 (size :UInt64) -> ();
  setMode @5 (mode :UInt32) -> ();
  setTimes @6 (accessNs :Int64, modifyNs :Int64, now :Bool) -> ();  # as Directory.setTimes
  memory @7 () -> (memoryIndex :UInt16, size :UInt64);
  # The MemoryObject of the file's bytes, as contents gives it, with the rights READ and EXEC: what is mapped of it
  # privately, or sliced, is a copy of that time and may be executed (CodeMaker.grant).  invalidArgument: it is empty.
  contents @8 () -> (memoryIndex :UInt16);
  # The MemoryObject of the file's bytes, the same for all who have the file open, with the right READ, and with WRITE
  # when it is open to write: to load from, to store to, and to map shared.  Its size is the file's.  It stays the file's
  # while anybody has the file open.
  grow @9 (offset :UInt64, length :UInt64) -> ();
  # From now on stores to that range may make the contents longer.  noSpace; fileTooBig.
  lock @10 (kind :LockKind, type :LockType, start :UInt64, length :UInt64, number :UInt32, wait :Bool,
            wakeIndex :UInt16, wakeBits :UInt64) -> ();
  # Changes a lock of the calling process (which must have a LockOwner, else notPermitted) or of this open file: what
  # the same owner held of the range is replaced.  length 0: to the end, however far; start and length 0 for whole.  A
  # lock of another owner that is in the way: wouldBlock; with wait the Event sent is then signalled when it is worth
  # trying again, and until that, or stopWaiting, the owner counts as waiting: wouldDeadlock when processes would wait
  # for each other.  number: what findLock says of it to others.  noBuffers: too many locks.
  findLock @11 (kind :LockKind, type :LockType, start :UInt64, length :UInt64)
      -> (type :LockType, start :UInt64, length :UInt64, number :UInt32, kind :LockKind);
  # The first lock that would be in the way; type unlock: none.
  stopWaiting @12 (kind :LockKind) -> ();
  dropLocks @13 () -> ();
  # The calling process's record locks on this file go, as POSIX wants when it closes the file.
  allocate @14 (offset :UInt64, length :UInt64, keepSize :Bool, punch :Bool) -> ();
  # Makes the file as long as the range; the client gives it memory (MemoryObject.prepare).  keepSize: it does not become
  # longer; notSupported for memory behind its end.  punch: the range reads as zeroes and its whole pages go back;
  # notSupported for a file of the boot archive, or of a volume, which writes to the holes of the range itself.
  setOwner @15 (user :UInt32, group :UInt32) -> ();  # as Directory.setOwner
  sync @16 (dataOnly :Bool) -> ();
  # Answers when what was written is on the host's disk; at once where there is none.
  path @17 () -> (path :Text, gone :Bool);
  # From the root of all files: a name that the file has in the directory in which it was opened.  gone: it has no name
  # any more, and this is what the last one was, or "#" and its number if it was made without.  noEntry: it has one
  # elsewhere, or was opened by a Directory that is not of that root.
  used @18 (read :Bool, written :Bool, opened :Bool) -> ();
  # That the client loaded from or stored to the contents, for those who watch the file: to be told when load or store
  # answers with a mark, and not needed otherwise.  opened: from now on those who watch it are told when the File goes,
  # though it was opened untold.
  offer @19 (key :UInt64) -> ();
  # Before Directory.linkFile: the key says there which file is meant, since a server does not see whether a capability
  # that it receives is one of its own.  Of the caller's choice and nobody else's business, so at random, and not 0.
  share @20 (memoryIndex :UInt16) -> (memoryIndex :UInt16);
  # Of a volume's File: memory that all share who have the file open.  Of a regular file its bytes, which are the file
  # from then on: read and write see them, its size is the file's, and what is stored there goes to the host by
  # writeBack and when a File that is open to write is closed.  Of a FIFO or a socket fifoBytes of the openers' own,
  # zero at first.  Comes with the right READ, and with WRITE when the File is open to write, or always of a FIFO or a
  # socket.  When there is none yet, it is made of the MemoryObject that was sent with all rights, empty, or for a
  # buffer of fifoBytes that it keeps (Account.createMemory), or (none was sent) the answer is noEntry.  invalidArgument:
  # it can be cut.  accessDenied: sent by who may not read and write.  noMemory: 64 files of the volume
  # have such memory already.  notSupported by the files service.
  writeBack @21 (offset :UInt64, length :UInt64) -> ();
  # What was stored to that range of the shared memory, if there is any, goes to the host.
}

enum LockType { unlock @0; read @1; write @2; }
enum LockKind {
  process @0;      # of a range, by a process (POSIX)
  description @1;  # of a range, by an open file
  whole @2;        # of the file, by an open file (flock); the others do not see it
}
