# SPDX-License-Identifier: MIT
# The objects that the kernel itself serves.  Their methods answer with an error of abi.h (negative),
# never with a Status.  "Index" results are positions among the capabilities that came with the reply;
# "Index" parameters are positions among those sent with the call.  Sizes and addresses are bytes.

@0x9a3c5e1f7b2d4c60;

interface Process {
  # A process.  Rights: MANAGE for createX, map, unmap, protect and setName; WATCH for wait and status;
  # KILL for kill.

  createMemory @0 (size :UInt64) -> (memoryIndex :UInt16);
  # A MemoryObject of zeroed pages that appear when first touched, charged to this process then.
  # size: rounded up to pages, at least one page.

  map @1 (memoryIndex :UInt16, offset :UInt64, size :UInt64, address :UInt64, access :UInt32,
          private :Bool) -> (address :UInt64);
  # Maps pages of the MemoryObject into the process.  offset, address: multiples of the page size;
  # address 0: the kernel chooses.  size: rounded up to pages.  access: CAP_RIGHT_READ|WRITE|EXEC, within
  # the capability's rights unless private (then READ suffices); WRITE with EXEC is CAP_EINVAL.
  # private: stores go to a copy of this mapping alone, as the object is now; pages that it does not have now are a fault
  # when they are touched.  CAP_EEXIST: the range is taken.
  # CAP_ERIGHTS: EXEC of an object that is not code, or a shared mapping with WRITE of one that is.

  unmap @2 (address :UInt64, size :UInt64) -> ();
  # Takes out all that is mapped in the range; parts of mappings too; nothing mapped is no error.

  protect @3 (address :UInt64, size :UInt64, access :UInt32) -> ();
  # The whole range must be mapped, else CAP_EFAULT and nothing is changed.  CAP_ERIGHTS: a shared mapping would get
  # more than the capability allowed; EXEC where the mapping is not of code or was writable before, or WRITE where it
  # was executable before.

  createEvent @4 () -> (eventIndex :UInt16);
  createEndpoint @5 () -> (endpointIndex :UInt16);

  createThread @6 (entry :UInt64, stackPointer :UInt64, argument :UInt64, fsBase :UInt64)
      -> (threadId :UInt64, ringAddress :UInt64);
  # A thread with a ring of its own, started at entry with argument in rdi.  It ends with the process or
  # by exitThread.

  exitThread @7 () -> ();
  # Ends the calling thread (of the calling process; on another's capability CAP_ETYPE).  The last one
  # ends the process with status 0.

  wait @8 () -> (status :UInt32, reason :Text);
  # Answers when the process has ended.  status: CAPOS_EXIT_STATUS.  reason: "" after exit, else why it was
  # killed, e.g. "page fault at 0x10 (rip 0x401234)".

  status @9 () -> (id :UInt64, name :Text, alive :Bool, memoryPages :UInt64, memoryLimitPages :UInt64,
                   capabilities :UInt32, threads :UInt32, cpuNs :UInt64, mappedPages :UInt64);
  # memoryPages: of its account.  mappedPages: what its mappings span, whether it is there or not.
  kill @10 (status :UInt32) -> ();
  setName @11 (name :Text) -> ();
  # Cut at 31 bytes.  Letters, digits and "-_.+@[]" stay, any other byte becomes '_'; a name that looks like the
  # kernel's in the log (capos/text.h, text_clean_name), or is a service's, gets a '_' in front.  So do the names of spawn and exec.
  sleepForever @12 () -> ();
  # Gone: answers CAP_EMETHOD.  Its ordinal is not used again.

  fork @13 (entry :UInt64, stackPointer :UInt64, argument :UInt64, endEventIndex :UInt16, endBits :UInt64)
      -> (processIndex :UInt16);
  # Of the calling process alone (else CAP_ETYPE): another process like it, of the same name, account and class, with one
  # thread that starts at entry with argument in rdi, the caller's fs base and floating-point registers, and a ring of
  # its own.  Private mappings are copied (when written), all others shared; the ring is not copied.  Every capability
  # with the right COPY is there under the same id, and ids that were stale stay stale; CAP_SELF is the new process's own.
  # Nothing is in flight and no event is bound.  endBits, unless 0, are signalled to the event sent (SIGNAL right) when
  # the new process has ended.  CAP_ENOMEM, CAP_EAGAIN (a limit is reached that is not of memory): then nothing was made.
  exec @14 (imageIndex :UInt16, loadBias :UInt64, blockAddress :UInt64, blockLength :UInt32, name :Text,
            stackTop :UInt64) -> ();
  # Of the calling process alone, when the caller is its one thread (else CAP_EBUSY): replaces its memory and thread by
  # the image's, as ProcessSpawner.spawn starts it, and does not answer.  The start block is read from the caller's
  # memory: at most 2 MiB and 128 KiB (CAP_ETOOBIG), a multiple of 16.  name: its new name; empty: the old one.  Capabilities stay, but
  # for those sent to be moved.  What the caller had in flight is withdrawn; signals that it has not collected stay in
  # their event.  On an error nothing is changed.

  account @15 () -> (accountIndex :UInt16);
  # The process's account, to draw on and to look at (rights CALL, WATCH, COPY).  To be handed to servers, with CALL
  # alone, when a session is opened with them.

  endThreads @16 () -> ();
  # Ends all threads of the calling process but the caller (on another's capability CAP_ETYPE).  Answers when they have
  # ended and what they held is given up.

  discard @17 (address :UInt64, size :UInt64) -> ();
  # What was stored to private mappings of memory that was never stored to before is forgotten there: it reads as zeroes
  # again, and its pages go back.  Shared mappings stay as they are.  CAP_EFAULT: part of the range is not mapped;
  # CAP_ETYPE: a private mapping of memory that had something in it, which is not known any more.  In both cases the
  # range before it is done.

  remap @18 (address :UInt64, size :UInt64, newAddress :UInt64, newSize :UInt64) -> (address :UInt64);
  # Moves what is mapped there to newAddress, where nothing may be (CAP_EEXIST), or (0) where there is room, or leaves it
  # (newAddress = address); and makes it longer: a shared mapping by more of its object, memory that had nothing in it by
  # zeroes.  size 0: another mapping of the object that a shared mapping shows there.  Rights and contents are kept,
  # nothing is copied.  While a large range moves other threads get no access to it.  Nothing is changed on an error.
  # CAP_EFAULT: part of the range is not mapped, or it is to be longer and its parts differ in kind or access; CAP_ETYPE:
  # a private mapping of memory that had something in it is to be longer; CAP_EINVAL: newSize is less, or size is 0 and
  # the mapping is private; CAP_ETOOBIG: it has more than 32 parts; CAP_ENOMEM.

  mappings @19 (from :UInt64) -> (list :List(MappingEntry), next :UInt64);
  # What is mapped, by address, from this address on, as many as fit; next 0: these were the last.

  callerLabel @20 (call :UInt64) -> (label :Data);
  # The label (Labeller) of the process that made this call, which the calling process was given and has not answered.
  # Of the calling process alone, else CAP_ETYPE.  CAP_ENOENT: there is no such call, or its caller has given up.

  mapZeroes @21 (size :UInt64, address :UInt64, access :UInt32) -> (address :UInt64);
  # A private mapping of all of a new object, as createMemory and map make it, without a capability on the object.

  setPolicy @22 (threadId :UInt64, policy :UInt16, priority :UInt16, resets :Bool) -> ();
  # How a thread is scheduled among those of its share (abi.h, "Scheduling"; right KILL); threadId 0: the first one.  One
  # that gets a higher priority goes to the end of that priority's line, one that gets a lower one to its head.
  # CAP_EINVAL: no such policy, or the priority is not one of it; CAP_ENOENT: no such thread; CAP_ERIGHTS: it would get more
  # than the caller may give (Labeller.bound), or what it has to give to no child.

  setNice @23 (threadId :UInt64, nice :Int32) -> ();
  # CAP_EINVAL: not from -20 to 19.  Otherwise as above.

  scheduling @24 (threadId :UInt64) -> (policy :UInt16, priority :UInt16, nice :Int32, resets :Bool);
  # What was set, or inherited: by fork from the caller, by createThread of the own process from the caller, kept by exec.

  resident @25 () -> (pages :UInt64);
  # Right WATCH.  How many pages of what its mappings show are in memory: of each mapping at most what it spans, and what
  # its object has.  Pages that several processes have mapped count for each; those of an executed file that were not
  # written count for none.
}

struct MappingEntry {
  start @0 :UInt64;
  end @1 :UInt64;
  offset @2 :UInt64;    # in its object, of start
  access @3 :UInt32;    # rights READ, WRITE, EXEC
  shared @4 :Bool;      # other than by a copy of its own
}

interface ProcessSpawner {
  spawn @0 (name :Text, imageIndex :UInt16, loadBias :UInt64, startBlock :Data, memoryLimitPages :UInt64,
            service :Bool, stackTop :UInt64, inAccount :Bool) -> (processIndex :UInt16);
  # Starts a process from an ELF image (static; ET_EXEC with loadBias 0, or ET_DYN anywhere page-aligned).
  # imageIndex: a MemoryObject with the file's bytes; its pages are shared, copied when written.
  # startBlock: copied so that it ends at stackTop; the stack pointer starts at its first byte, so
  # its length must be a multiple of 16.  stackTop: page-aligned; 0: CAPOS_STACK_TOP.  layout.h: where to put things.  memoryLimitPages: 0 for no limit but the machine's.
  # service: scheduled before programs.  All other capabilities sent, in their order, become the new process's
  # CAP_GIVEN(0), CAP_GIVEN(1), ...  (imageIndex must be the last position.)
  # inAccount: the process draws on the Account (right MANAGE) that was sent right before the image, and
  # memoryLimitPages must be 0; otherwise on an account of its own, made with that limit.
  # CAP_ENOEXEC, CAP_ENOMEM, CAP_EINVAL, CAP_ETYPE, CAP_ERIGHTS (image needs READ and EXEC), CAP_EAGAIN: the account has
  # as many processes or threads as it may.

  createAccount @1 (service :Bool, memoryLimitPages :UInt64, processLimit :UInt32, threadLimit :UInt32,
                    timerLimit :UInt32, operationLimit :UInt32, callLimit :UInt32) -> (accountIndex :UInt16);
  # An account with all rights.  service: not held to leave the last of the memory to services.  A limit of 0:
  # of memory none but the machine's, of the others the kernel's constant (kernel/memory/account.h).
}

interface Account {
  # What bounds what a family of processes makes the machine keep: memory, kernel objects, threads, timers, operations
  # and calls in flight.  All that is made in the name of its processes is charged to it until it is freed, and stays
  # charged as long as any process holds it.  The right CALL alone lets its holder draw memory; WATCH is needed for
  # status, MANAGE to start a process in it.

  createMemory @0 (size :UInt64) -> (memoryIndex :UInt16);
  # A committed MemoryObject (all rights but EXEC and MANAGE): all its pages are present, zeroed and charged to this
  # account now, so that using it never fails, whichever process does; it cannot be resized.  size: rounded up to
  # pages, not 0.
  # CAP_ENOMEM: the account's limit or the machine's memory (less the share of services); then nothing was charged.

  slice @1 (memoryIndex :UInt16, offset :UInt64, size :UInt64) -> (memoryIndex :UInt16);
  # As MemoryObject.slice (which see), of the object sent (right READ), but committed: what a later store to the slice
  # needs is set aside now.  CAP_ENOMEM as above.

  status @2 () -> (memoryPages :UInt64, memoryLimitPages :UInt64, objectBytes :UInt64,
                   processes :UInt32, processLimit :UInt32, threads :UInt32, threadLimit :UInt32,
                   timers :UInt32, timerLimit :UInt32, operations :UInt32, operationLimit :UInt32,
                   calls :UInt32, callLimit :UInt32);
  # What is charged, and the limits.  memoryPages counts the pages that objectBytes (small kernel objects) fill.

  createSparse @3 (size :UInt64, backed :Bool, memoryIndex :UInt16, offset :UInt64) -> (memoryIndex :UInt16);
  # A MemoryObject of size bytes (0 too) whose pages get memory, charged to this account, when they are first stored to:
  # a file's contents.  Until then they read as zeroes, or (backed) as what the MemoryObject sent, which must be code
  # (right READ), has from offset on, a multiple of the page size.
}

interface MemoryObject {
  # Pages.  An object is data (its bytes may change, it is never executed) or code (executable, its bytes never
  # change: no capability on it has WRITE or MANAGE).  createMemory and DMAPool make data.  The boot archive is code,
  # slices of code are, and what a CodeMaker makes.
  size @0 () -> (size :UInt64);
  slice @1 (offset :UInt64, size :UInt64) -> (memoryIndex :UInt16);
  # A new MemoryObject with a copy of the range, whose pages are shared until either side writes (needs READ;
  # offset a multiple of the page size).  Through a capability with EXEC the copy is code; otherwise it is data, and
  # the holder has all rights but EXEC.  Of code nothing is copied, whatever the size.
  resize @2 (size :UInt64) -> ();
  # Only for objects made by createMemory and slice, with the rights WRITE and MANAGE.  Pages past the new end
  # are taken from every mapping; touching them there is a fault.
  # Bytes are copied by the ring's operations CAP_OP_LOAD and CAP_OP_STORE.
  setLimit @3 (size :UInt64) -> ();
  # How long CAP_OP_STORE may make the object (rights WRITE and MANAGE); 0 at first: not longer than it is.
  status @4 () -> (size :UInt64, pages :UInt64, changedNs :UInt64, loadedNs :UInt64, mappings :UInt32);
  # pages: that have memory of their own.  changedNs: when CAP_OP_STORE or resize last changed it, loadedNs: when
  # CAP_OP_LOAD last gave bytes of it, of the monotonic clock; 0: never.  A store to a mapping of what createSparse made
  # counts as a change, too, when it is the first to its page since the mapping was made or protected.  mappings: that
  # are not private and may be stored to.
  prepare @5 (offset :UInt64, length :UInt64) -> ();
  # Gives the pages of the range, which must lie within the object, memory of their own, so that storing to them does not
  # fail as long as they are not shared.  CAP_ENOMEM: some may have it.
  discard @6 (offset :UInt64, length :UInt64) -> ();
  # The pages that lie whole in the range lose what was stored to them (rights WRITE and MANAGE), and their memory.
  showSize @7 () -> (memoryIndex :UInt16);
  # A page for who maps both: its first UInt64 is the object's size at any time, its second is not 0 as long as the
  # object is marked (needs READ).  It can be mapped to be read, nothing else; who asks first pays for it, and it lasts as
  # long as the object.  Of objects that can be resized, else CAP_ETYPE.
  mark @8 (marked :Bool) -> ();
  # What CAP_OP_LOAD and CAP_OP_STORE answer with from now on, false at first (rights WRITE and MANAGE): who made the
  # object may want to hear of them, and no call is made while nobody does.
}

interface CodeMaker {
  # The authority to turn data into code: the files service holds it for the files that it hands out to be executed.
  # A program without it runs nothing that it did not get as code.
  make @0 (memoryIndex :UInt16) -> (memoryIndex :UInt16);
  # A copy of a MemoryObject (READ right, made by createMemory or slice) that is code.
  grant @1 (memoryIndex :UInt16) -> (memoryIndex :UInt16);
  # The same MemoryObject, of data, with the rights READ and EXEC: slices and private mappings made through this
  # capability are code.  So its holder pays, in memory and in time, for the copy of a large file that it executes.
}

interface Labeller {
  # The authority to say of a process what servers are told of it.  A label is bytes that mean nothing to the kernel: none
  # at first, kept by exec, inherited by fork.  Its first 8, zeroes where it is shorter, come with each call that the
  # process makes (abi.h, caller_label); who serves the call may read all of it (Process.callerLabel).
  set @0 (processIndex :UInt16, label :Data) -> ();
  # Of the process sent (Process, right WATCH), from its next call on.  CAP_ETOOBIG: more than 192 bytes.
  get @1 (processIndex :UInt16) -> (label :Data, id :UInt64);
  # id: as Process.status has it, and abi.h the caller of a call.
  bound @2 (processIndex :UInt16, priority :UInt16, nice :Int32) -> ();
  # How far the process sent, and those that it forks from now on, may raise threads by setPolicy and setNice, their own
  # or others': to a priority of real time up to this one (0: to none) and to nice values from this one (20: to none).
  # What threads have they keep.  At first all of it; kept by exec.  CAP_EINVAL: there is no such priority or value.
}

interface Event {
  # SIGNAL and WAIT are opcodes.
  bindUpcall @0 (entry :UInt64) -> ();
  # Binds the event to the calling thread (abi.h, "Upcalls"); CAP_EBUSY when bound already.  entry 0: bits
  # still collect in upcall_bits and interrupt cap_enter, and no code is run.
}

interface Timer {
  # Signals an event at a time of the monotonic clock (clock.h).  One setting at a time.
  arm @0 (deadlineNs :UInt64, intervalNs :UInt64, eventIndex :UInt16, bits :UInt64) -> ();
  # deadlineNs: absolute; a past one signals at once.  intervalNs: 0 for once; at least 1000 otherwise.  Replaces
  # the previous setting.  The event is sent with each call and needs the right SIGNAL.
  disarm @1 () -> (remainingNs :UInt64, intervalNs :UInt64);
  # remainingNs: 0 when it was not armed.
  create @2 () -> (timerIndex :UInt16);
  # Another timer, not armed.
  remaining @3 () -> (remainingNs :UInt64, intervalNs :UInt64);
}

interface EntropySource {
  read @0 (length :UInt32) -> (data :Data);
  # length: at most 1024 bytes.
}

interface Log {
  write @0 (text :Text) -> ();
  # One or more lines for the kernel's log, each written as "NAME: TEXT" with the caller's process name; cut at
  # 1024 bytes.  What is not printable UTF-8 becomes '?' (capos/text.h, text_clean).
}

interface PowerControl {
  shutdown @0 () -> ();
  # Turns the machine off (resets it where off is not to be had: under `-no-reboot` that ends the emulator).
  flushLog @1 () -> ();
  # Answers when everything that was in the log at the time of the call has left for the serial port.
}

interface SystemStatus {
  processes @0 (firstId :UInt64) -> (list :List(ProcessEntry), nextId :UInt64);
  # As many as fit in one reply, by id from firstId on; nextId 0: these were the last.
  capabilities @1 (processId :UInt64, firstIndex :UInt32) -> (list :List(CapabilityEntry), nextIndex :UInt32);
  # As many as fit in one reply, from firstIndex on; nextIndex 0: these were the last.  CAP_ENOENT.
  memory @2 () -> (totalPages :UInt64, freePages :UInt64, kernelObjects :UInt64, contextSwitches :UInt64,
                   interrupts :UInt64, objectPages :UInt64);
  # Answers when all that ended processes had is given back.  objectPages: those that hold small kernel objects, of which
  # one keeps its whole page; with freePages they are what a program that has ended gives back, exactly.
  latency @3 (measure :Bool) -> (longestNs :UInt64, entry :UInt8, op :UInt8, method :UInt16, interface :UInt64);
  # The longest time that the kernel kept interrupts off since the last call, and what it was doing: entry 0 a
  # submission (its opcode, interface and method), 1 a page fault or exception, 2 the timer, 3 a device's interrupt,
  # 4 work that was left over.  measure: whether to measure from now on; it costs every entry two readings of the clock.
  protections @4 () -> (list :List(Protection));
  # Those of the kernel and the processor, read from registers and page tables as they are.
}

struct Protection {
  name @0 :Text;
  on @1 :Bool;
  bits @2 :UInt32;        # how many bits chance decides; 0 where that is not the question
}

struct ProcessEntry {
  id @0 :UInt64;
  name @1 :Text;
  service @2 :Bool;
}

struct CapabilityEntry {
  index @0 :UInt32;
  kind @1 :Kind;
  interface @2 :UInt64;   # type id, for kind object and for kernel objects with methods
  rights @3 :UInt32;
  server @4 :Text;        # object: name of the serving process; "kernel" otherwise
  object @5 :UInt64;      # object: its word; DeviceMmio, Interrupt, DMAPool: PCI address (bus<<8|dev<<3|fn)

  enum Kind {
    none @0; process @1; spawner @2; memory @3; event @4; endpoint @5; object @6; timer @7; entropy @8; log @9;
    power @10; systemStatus @11; deviceManager @12; deviceMmio @13; interrupt @14; dmaPool @15; codeMaker @16;
    account @17; labeller @18;
  }
}

interface DeviceManager {
  list @0 () -> (devices :List(PciDevice));
  open @1 (address :UInt16, dmaLimitPages :UInt32) -> (mmioIndex :UInt16, interruptIndex :UInt16, dmaIndex :UInt16);
  # The three capabilities of one PCI function (bus<<8 | device<<3 | function): its memory decoding is turned on, MSI-X
  # entry 0 is routed, all others masked.  CAP_ENOENT, CAP_EBUSY while they are held.  Bus mastering is turned on by the
  # first DMAPool.allocate: a driver resets its device before that, since the function may still hold the addresses that
  # a former driver gave it.  When the last of the three is given up, bus mastering is turned off and the function may
  # be opened again.
}

struct PciDevice {
  address @0 :UInt16;
  vendor @1 :UInt16;
  device @2 :UInt16;
  classCode @3 :UInt32;   # class<<16 | subclass<<8 | interface
  subsystemVendor @4 :UInt16;
  subsystem @5 :UInt16;
}

interface DeviceMmio {
  info @0 () -> (vendor :UInt16, device :UInt16, regions :List(MmioRegion));
  map @1 (region :UInt16) -> (address :UInt64, size :UInt64);
  # Maps a region, uncached, into the caller.
  readConfig @2 (offset :UInt16, width :UInt8) -> (value :UInt32);
  # The function's configuration space; width 1, 2 or 4, offset a multiple of it.
}

struct MmioRegion {
  # Whole pages of a BAR that hold nothing of another function and neither MSI-X table nor pending bits.
  bar @0 :UInt8;
  offset @1 :UInt64;      # of the region in the BAR
  size @2 :UInt64;
}

interface Interrupt {
  bind @0 (eventIndex :UInt16, bits :UInt64) -> ();
  # From now on the device's MSI-X message sets these bits of the event.  Replaces the previous binding.
  unbind @1 () -> ();
  count @2 () -> (delivered :UInt64);
}

interface DMAPool {
  allocate @0 (pages :UInt32) -> (memoryIndex :UInt16, deviceAddresses :List(UInt64));
  # A MemoryObject of zeroed, pinned pages and what the device calls each.  At most 512 pages a call.
  # The pages go back when the pool and the object are both gone.
}
