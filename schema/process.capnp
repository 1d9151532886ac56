# SPDX-License-Identifier: MIT
# What the process service serves: worlds of processes, and the members of a world.  Index and Status conventions as
# in network.capnp.
#
# Numbers: 1 is the world itself, the parent of its first process and of orphans, which it waits for; no process has
# it.  The first process is 2, and numbers count up to 4194303 before one is used again.

@0xd4a1c6b05e7f3928;

interface ProcessWorld {
  # One world.  A process sees, signals and waits within its own alone.

  openSession @0 (word :UInt64, accountIndex :UInt16) -> ();
  # As Directory.openSession: the object that the owner of the endpoint mints with this word is from now on a new
  # world, and what the service keeps for it is drawn from the account.  exists, noBuffers, noMemory.

  enroll @1 (processIndex :UInt16, signalsIndex :UInt16, number :UInt32) -> (memberIndex :UInt16, number :UInt32,
                                                                                identity :Data);
  # Makes the caller (its own Process, rights WATCH, KILL, COPY) a member whose parent is the world, in a group and a
  # session of its own.  Signals come as bits of the event (right SIGNAL), bit N-1 for signal N.  number: that it had
  # with a service that has ended since, and gets again when it is free; 0: any.  The ProcessMember cannot be copied, so
  # no child holds its parent's; it is given up by the process's end, which the service learns so.  identity: whose
  # the process is, as ProcessMember.users answers it; its label keeps that (Labeller).
  # invalidArgument: the Process is not the caller's.  exists: it is a member already.
  # noBuffers: as many members as a world may have; noMemory.

  signal @2 (signal :UInt32, foreground :Bool) -> ();
  # From outside (the host's keyboard): to the foreground group of the first process's session, or to the first
  # process alone.  noEntry: there is none.  notPermitted: the caller is not user 0.
}

interface ProcessMember {
  # What a process may do as a member of its world.  Numbers that name no process of the world are noEntry.

  prepareFork @0 () -> (number :UInt32, birthIndex :UInt16);
  # A child of the caller's, which exists from now on.  birthIndex: a ProcessBirth, to be inherited by the new process
  # and given up by both: when its last capability goes before the child has joined, the child has ended.
  # tryAgain: RLIMIT_NPROC; noBuffers, noMemory.

  abandonFork @1 (number :UInt32) -> ();
  # No process was made for it: it never was.

  wait @2 (which :Which, id :UInt32, options :UInt32) -> (number :UInt32, code :UInt32, status :UInt32,
                                                         cpuNs :UInt64, childrenCpuNs :UInt64, pages :UInt64);
  # Answers when a child matches; cancel it to stop waiting: then no child is taken.  options: waitExited.. or-ed.
  # number 0: none yet (waitNoHang).  code: CLD_* of Linux; status: the exit code, or the signal's number.
  # noEntry: no child matches.  id 0 with group: the caller's.

  enum Which { any @0; process @1; group @2; }

  kill @3 (target :Int64, signal :UInt32, code :Int32, value :UInt64) -> ();
  # target as kill() has it: above 0 a process, 0 the caller's group, -1 all but the caller, below it a group.
  # signal 0: whether one is there.  code: SI_USER or SI_QUEUE, value: its value.
  # noEntry; tryAgain: as many are queued as may be (of SI_QUEUE or a real-time signal).  notPermitted: the world, or
  # others, of users whom the caller may not signal.

  takeSignals @4 (bits :UInt64) -> (list :List(SignalInfo));
  # What is known of the signals of these bits, in the order sent, as many as fit; they are forgotten here.  When more are
  # left, their bits are signalled again.

  stop @5 (signal :UInt32, own :Bool) -> ();
  # The caller has stopped by this signal.  Answers when it is to go on; at once when it was sent SIGCONT since, unless
  # the signal is its own and did not come from the service; and unless that is SIGSTOP, when the caller's group is
  # orphaned.

  setGroup @6 (number :UInt32, group :UInt32) -> ();
  # As setpgid(), 0 as there.  noEntry, notPermitted, accessDenied (the child has executed a program).
  setSession @7 () -> (session :UInt32);
  # notPermitted: the caller leads a group.
  identity @8 (number :UInt32) -> (parent :UInt32, group :UInt32, session :UInt32);
  # number 0: the caller.

  children @9 (forget :Bool, noStops :Bool) -> ();
  # What the caller wants of SIGCHLD: forget: children are not waited for; noStops: no signal when one stops or goes on.

  describe @10 (name :Text, command :Data, executed :Bool) -> ();
  # Its name (at most 15 bytes) and its arguments, each with a NUL behind it (cut at 4096 bytes), for others to read;
  # an empty command leaves the arguments as they were.

  list @11 (from :UInt32) -> (processes :List(ProcessInfo), next :UInt32);
  # In the order of their numbers, from this number on, as many as fit; next 0: these were the last.
  command @12 (number :UInt32) -> (command :Data);

  getLimit @13 (number :UInt32, resource :UInt32) -> (soft :UInt64, hard :UInt64);
  setLimit @14 (number :UInt32, resource :UInt32, soft :UInt64, hard :UInt64) -> ();
  # As prlimit(), UINT64_MAX for none.  number 0: the caller.  notPermitted: above the hard limit, or another's.

  foreground @15 () -> (group :UInt32);
  # The foreground group of the caller's session.
  setForeground @16 (group :UInt32) -> ();
  # noEntry: there is no such group; notPermitted: it is of another session.

  usage @17 () -> (childrenCpuNs :UInt64, childrenPages :UInt64);
  # Of the children that were waited for and theirs; of the largest.

  load @18 () -> (one :UInt32, five :UInt32, fifteen :UInt32, processes :UInt32, lastNumber :UInt32,
              cpuNs :UInt64);
  # Processors that the world has used on average over the last minutes, times 65536; its processes; what it has
  # used in all.

  openEnds @19 (eventIndex :UInt16) -> (firstIndex :UInt16, secondIndex :UInt16, word :UInt64);
  # Two ProcessEnds.  word: in bits 0-15 which word of endsMemory is the first's (the second's is the next), above them a
  # number of this process of the service, which the memory's first two words have too (low one first).  When either goes, all bits of the event (right
  # SIGNAL) are signalled.  noBuffers: as many as a world may have.
  endsMemory @20 () -> (memoryIndex :UInt16, size :UInt64);
  # Words of 32 bits, to be read: not 0 while that end is held.

  setTerminal @21 (terminalIndex :UInt16, number :UInt32) -> (sessionIndex :UInt16);
  # The TerminalSession is from now on the controlling terminal of the caller's session; the ProcessSession is for the
  # terminal.  number: what the terminal is called by.  notPermitted: the caller leads no session, or it has one.
  terminal @22 () -> (terminalIndex :UInt16, number :UInt32);
  # That of the caller's session.  noEntry: it has none.
  leaveTerminal @23 () -> ();
  # The caller's session, which it leads, has none any more; its foreground group is sent SIGHUP and SIGCONT, as when
  # its leader ends.
  job @24 () -> (controlled :Bool, terminal :UInt32, foreground :Bool, orphaned :Bool);
  # Whether the caller's session has a controlling terminal, and its number; whether the caller's group is the one in
  # front; whether that would be continued by nobody if it stopped.

  # System V objects: shared memory segments, sets of semaphores, queues of messages, as shmget and its kin have them.
  # They are the world's, found by number or key, and stay until they are removed or the world ends.  An id that
  # names none: invalidArgument.  What the caller has attached, and what of semaphores is to be undone, is settled at its
  # end before that is told; a child that is prepared has attached what its parent has, and a program that is executed
  # nothing.

  ipcGet @25 (kind :IpcKind, key :Int32, size :UInt64, flags :UInt32) -> (id :Int32);
  # size: bytes, or semaphores (0: of an object that exists).  flags: Linux's, IPC_CREAT, IPC_EXCL and permission bits.
  # noEntry, exists, noSpace (as many as a world may have), noMemory.
  ipcStat @26 (kind :IpcKind, id :Int32, byPlace :Bool) -> (stat :IpcStat);
  # byPlace: id is a place, as ipcUse counts them.
  ipcSet @27 (kind :IpcKind, id :Int32, user :UInt32, group :UInt32, mode :UInt32, size :UInt64) -> ();
  # size: of a queue: its most bytes.  notPermitted: the caller does not own it; of others accessDenied says that its
  # permissions do not allow the call.
  ipcRemove @28 (kind :IpcKind, id :Int32) -> ();
  # Calls that wait for it are answered with removed; a segment stays while it is attached.
  ipcUse @29 (kind :IpcKind) -> (places :UInt32, objects :UInt32, items :UInt64, bytes :UInt64);
  # places: up to the last one in use.  items: pages, semaphores or messages.

  attachSegment @30 (id :Int32, write :Bool) -> (memoryIndex :UInt16, size :UInt64);
  detachSegment @31 (id :Int32) -> ();
  lockSegment @32 (id :Int32, lock :Bool) -> ();
  # Its memory is always there; this is kept and reported.

  operateSemaphores @33 (id :Int32, operations :Data) -> ();
  # Each of 6 bytes, as struct sembuf.  Answers when all could be done, and they are done exactly when the answer is
  # delivered.  wouldBlock, fileTooBig (number), tooBig (how many), outOfRange, removed.
  readSemaphores @34 (id :Int32, what :What, number :UInt32) -> (value :UInt32, values :Data);
  # values: of all, 16 bits each.

  enum What { value @0; process @1; waitingToGrow @2; waitingForZero @3; all @4; }

  assignSemaphores @35 (id :Int32, number :Int32, values :Data) -> ();
  # number -1: all.  What was to be undone of them is forgotten.  outOfRange.

  sendMessage @36 (id :Int32, type :Int64, data :Data, wait :Bool) -> ();
  # Answers when there is room, as operateSemaphores does.  At most 8192 bytes.
  receiveMessage @37 (id :Int32, type :Int64, size :UInt64, flags :UInt32) -> (type :Int64, data :Data);
  # flags: Linux's IPC_NOWAIT, MSG_NOERROR, MSG_EXCEPT, MSG_COPY.  noMessage, tooBig, removed.

  ask @38 (number :UInt32) -> (report :Data);
  # What another process says of itself: pairs of a name ("exe", "cwd", "root", "fd/N", "net/FILE" of a
  # socket) and a text, a NUL behind each.
  # Nothing vouches for it, as it is that process's own business.  Answers when the process does, if ever: give it a time-out.
  # wouldBlock: it is stopped, and answers nothing; noBuffers: too many ask it; accessDenied: it is another user's.
  report @39 (report :Data) -> ();
  # The answer to all who ask the caller, at most 8192 bytes.  It is asked by bit 33 of its event (no signal's: musl keeps
  # number 34 for itself).

  setDeathSignal @40 (signal :UInt32) -> ();
  # The caller is sent this signal when its parent ends, 0: none.  A child begins with none.  invalidArgument.
  deathSignal @41 () -> (signal :UInt32);

  setReaper @42 (on :Bool) -> ();
  # Orphans below the caller become its children, not the world's.  A child does not inherit it.
  reaper @43 () -> (on :Bool);

  # How the first thread of a process is scheduled (Process.setPolicy).  A process sets its own threads itself.
  setNice @44 (which :Which, id :UInt32, nice :Int32) -> ();
  # Of all that match (any: of the real user id); id 0 is the caller, its group or its user.  Taken as -20 or 19 beyond.
  # notPermitted: of another user; accessDenied: lower than it was and than the limit on it allows, and the effective user
  # is not 0.
  nice @45 (which :Which, id :UInt32) -> (nice :Int32);
  # The lowest of those that match.  noEntry: none.
  setPolicy @46 (number :UInt32, policy :UInt32, forgets :Bool, priority :UInt32) -> ();
  # Linux's number of a scheduling policy, and a priority of real time.  forgets: its children begin without a real-time
  # policy and without a nice value below 0.  notPermitted: of another user, or not allowed by Linux's rules; invalidArgument.
  policy @47 (number :UInt32) -> (policy :UInt32, forgets :Bool, priority :UInt32, nice :Int32);

  # Users and groups, as capos/identity.h has them.  A process whose effective user is not 0 may signal, limit, read of or
  # change only what Linux lets it; user 0 can do all that the capability can.
  setUsers @48 (identity :Data) -> ();
  # Of the caller.  notPermitted: its effective user is not 0, and a user or group is none of the three that it has (for
  # files: of the four), or the list of groups is another.  Servers are told from the caller's next call on; what the
  # caller has opened stays open.
  users @49 (number :UInt32) -> (identity :Data);
  # number 0: the caller.

  askNotice @50 (key :UInt64, signal :UInt32, value :UInt64) -> ();
  # Whoever names the caller and this key may from now on have this signal sent to it, once, whatever users they are of:
  # the key says that the caller wants it, so it is at random.  signal 0: the caller wants it no more.
  # exists: it has asked with this key; noBuffers: for 256 already; noMemory; noEntry: signal 0, and it has not.
  giveNotice @51 (number :UInt32, key :UInt64) -> ();
  # The signal comes with the code SI_MESGQ and the caller for its sender.  noEntry: that process has not asked for it.
}

enum IpcKind { segment @0; set @1; queue @2; }

struct IpcStat {
  id @0 :Int32;
  key @1 :Int32;
  user @2 :UInt32;
  group @3 :UInt32;
  creatorUser @4 :UInt32;
  creatorGroup @5 :UInt32;
  mode @6 :UInt32;           # SHM_DEST and SHM_LOCKED included
  creator @7 :UInt32;        # numbers of processes
  last @8 :UInt32;           # to attach or detach, to send
  lastReceiver @9 :UInt32;
  firstSeconds @10 :Int64;   # Unix time: attached, operated, sent
  secondSeconds @11 :Int64;  # detached, received
  changeSeconds @12 :Int64;
  size @13 :UInt64;          # bytes, semaphores, most bytes
  count @14 :UInt64;         # how often it is attached; messages
  bytes @15 :UInt64;         # of messages
}

interface ProcessSession {
  # A session as its controlling terminal sees it.

  signal @0 (signal :UInt32) -> ();
  # To the foreground group.  signal 0: none.  invalidArgument: not one that terminals send.  noEntry: the session's leader has ended or has given the terminal up.
  identity @1 () -> (session :UInt32, foreground :UInt32);
}

interface ProcessEnd {
  # One end of something that members share, a pipe say: held by those that inherited it or were sent it.  When its last
  # capability goes, however its holders ended, its word becomes 0.

  word @0 () -> (word :UInt64);
  # As openEnds gave it, for one that was sent the end.
}

interface ProcessBirth {
  # A child that has not joined yet.

  join @0 (processIndex :UInt16, signalsIndex :UInt16) -> (memberIndex :UInt16);
  # Makes the caller the member, as ProcessWorld.enroll does.  noEntry: it has joined, or was abandoned.
}

const waitExited :UInt32 = 1;
const waitStopped :UInt32 = 2;
const waitContinued :UInt32 = 4;
const waitNoHang :UInt32 = 8;
const waitKeep :UInt32 = 16;      # it can be waited for again

struct SignalInfo {
  signal @0 :UInt32;
  code @1 :Int32;
  number @2 :UInt32;      # of the sender, or of the child
  status @3 :Int32;       # of a child
  value @4 :UInt64;
  cpuNs @5 :UInt64;       # of a child that ended
  user @6 :UInt32;        # of the sender, or of the child
}

struct ProcessInfo {
  number @0 :UInt32;
  parent @1 :UInt32;
  group @2 :UInt32;
  session @3 :UInt32;
  foreground @4 :UInt32;  # group of its session
  state @5 :State;
  name @6 :Text;
  startNs @7 :UInt64;     # monotonic
  cpuNs @8 :UInt64;
  childrenCpuNs @9 :UInt64;
  threads @10 :UInt32;
  pages @11 :UInt64;      # of its account, which it has in common with the other members
  mappedPages @12 :UInt64;
  nice @13 :Int32;
  effectiveUser @14 :UInt32;
  effectiveGroup @15 :UInt32;
  policy @16 :UInt32;
  priority @17 :UInt32;
  residentPages @18 :UInt64;  # Process.resident

  enum State { running @0; stopped @1; ended @2; }
}
