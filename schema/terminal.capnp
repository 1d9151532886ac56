# SPDX-License-Identifier: MIT
# What the terminal service serves: terminals, whose other end is the user's console or a program.  Index and Status
# conventions as in network.capnp.

@0xa9c35de07b1f6284;

using import "network.capnp".ChannelRef;

interface TerminalSession {
  # A terminal: what a program that is to talk with a person is handed, whether behind it is a console, a program that
  # holds the TerminalMaster, or a connection.  It is open as long as a TerminalSession exists that open gave.

  open @0 (wakeIndex :UInt16, wakeBits :UInt64) -> (terminalIndex :UInt16, channel :ChannelRef, number :UInt32);
  # The same terminal, open.  All who have it open have one channel in common (libcapos/include/capos/terminal.h), each
  # wakes by its own event.  number: 0 is the console, which user 0 alone may open, unless by
  # one that is open.  wouldBlock: a pseudo-terminal that is locked.  ioError: hung up.

  # What follows is of an open terminal (else notPermitted).
  setAttributes @1 (attributes :TerminalAttributes, when :When) -> ();
  # Answers when they are in force.
  enum When { now @0; drained @1; flushed @2; }
  attributes @2 () -> (attributes :TerminalAttributes);
  setWindow @3 (window :TerminalWindow) -> ();
  # A size that is another one is SIGWINCH for the foreground group.  By user 0 also of a terminal that is not open: init
  # says so of the console.
  window @4 () -> (window :TerminalWindow);
  drain @5 () -> ();
  # Answers when what was written has been taken by the other end.
  flush @6 (input :Bool, output :Bool) -> ();
  # What was not read, what was not sent.
  flow @7 (stop :Bool) -> ();
  # Stops output or lets it go on.
  control @8 (sessionIndex :UInt16) -> ();
  # From now on the keyboard's signals go to this ProcessSession.  busy: to another, which exists, or which has not said
  # so within a second.
  push @9 (byte :UInt8) -> ();
  # As if it was typed.
}

interface TerminalMaster {
  # The other end of a pseudo-terminal.  Its channel: what programs wrote, and what is typed.  When its last capability
  # goes, the terminal is hung up.  CHANNEL_EOF: nobody has the terminal open, having had it.

  unlock @0 (locked :Bool) -> ();
  session @1 () -> (terminalIndex :UInt16);
  setWindow @2 (window :TerminalWindow) -> ();
  window @3 () -> (window :TerminalWindow);
  setAttributes @4 (attributes :TerminalAttributes) -> ();
  attributes @5 () -> (attributes :TerminalAttributes);
  flush @6 (input :Bool, output :Bool) -> ();
  signal @7 (signal :UInt32) -> ();
  # To the foreground group.
}

interface TerminalMaker {
  openMaster @0 (wakeIndex :UInt16, wakeBits :UInt64, accountIndex :UInt16) -> (masterIndex :UInt16, channel :ChannelRef,
                                                                            number :UInt32);
  # A new pseudo-terminal, locked, its memory drawn from the account.  noBuffers: as many as may be; noMemory.
  find @1 (number :UInt32) -> (terminalIndex :UInt16);
  # noEntry; accessDenied: the caller is neither user 0 nor the one who opened its master.
  list @2 () -> (files :List(TerminalFile));
  change @3 (file :TerminalFile) -> ();
  # What of the terminal's file is not terminalKeep becomes so: by user 0, the mode also by the owner (else notPermitted).
  # Who finds it goes by the owner.  noEntry.
}

const terminalKeep :UInt32 = 0xffffffff;

struct TerminalFile {
  # What stat says of a pseudo-terminal.  At first its owner is who opened its master.
  number @0 :UInt32;
  user @1 :UInt32;
  group @2 :UInt32;
  mode @3 :UInt32;          # permission bits
}

struct TerminalAttributes {
  # Flags and characters as Linux numbers them.
  input @0 :UInt32;
  output @1 :UInt32;
  control @2 :UInt32;
  local @3 :UInt32;
  inputSpeed @4 :UInt32;    # bits a second
  outputSpeed @5 :UInt32;
  characters @6 :Data;      # 19
}

struct TerminalWindow {
  rows @0 :UInt16;
  columns @1 :UInt16;
  width @2 :UInt16;         # pixels, or 0
  height @3 :UInt16;
}
