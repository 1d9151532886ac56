# SPDX-License-Identifier: MIT
# The systems that boot: which services run, what each holds, and what the program gets; and the block from which
# a new process learns what it holds.  Text in manifests/, compiled with `capnp encode`.

@0xe81b4f6d93c7a052;

using import "network.capnp".NetworkGrant;

struct Manifest {
  # File "etc/manifest" of the boot archive.  `capos run` puts the part about the program in a second file,
  # "etc/program", a ProgramRequest.
  services @0 :List(Service);
  program @1 :List(Holding);    # what every program is given, besides the network
  network @2 :NetworkConfig;
}

struct Service {
  name @0 :Text;
  path @1 :Text;                # file in the archive, without leading slash
  args @2 :List(Text);          # after argv[0]
  holds @3 :List(Holding);
  serves @4 :List(Export);
  optional @5 :Bool;            # its device may be missing: then it is not started, and what needs it is given nothing
  memoryLimitPages @6 :UInt64;  # 0: none
  restart @7 :Restart;          # what init does when the service's process ends
  restartLimit @8 :UInt32;      # for `limited`: how many times it is started again

  enum Restart {
    # The first start after an end comes 10 ms later; each further one after twice the time, up to 5 s.  A service that
    # ran for a minute counts as mended: its delay and its count begin anew.
    never @0;                   # its end is final
    always @1;
    limited @2;                 # after restartLimit times its end is final
  }
  # What clients see: calls under way fail with CAP_EGONE, as do later calls to objects that the dead process had made
  # (open files, sockets).  Capabilities from the manifest stay: calls on them wait for the next process, and fail
  # with CAP_EGONE once the end is final.  The service begins anew: it finds what its holdings give it, as at boot.
}

struct Export {
  # init makes the service's endpoint, keeps it, hands it over under the name "serve", and mints for each holder of
  # "SERVICE.name" a capability to an object with this word.
  name @0 :Text;
  interface @1 :Text;           # e.g. "Nic"
  word @2 :UInt64;
}

struct Holding {
  name @0 :Text;                # under which the holder finds it in its start block
  union {
    kernel @1 :Text;            # "log", "timer", "entropy", "spawner", "power", "systemStatus", "code"
                                # (CodeMaker), "labels" (Labeller), "boot" (the archive)
    service @2 :Text;           # "SERVICE.EXPORT"
    device :group {             # three capabilities: NAME.mmio, NAME.interrupt, NAME.dma
      vendor @3 :UInt16; ids @4 :List(UInt16); index @5 :UInt16; dmaLimitPages @6 :UInt32;
      # the index-th PCI function with that vendor and one of these device ids
    }
    process @7 :Text;           # "SERVICE": its process, with the rights KILL and WATCH; for the program alone, in tests
  }
}

# A service that exports a Directory named "volume" is a volume: init gives it the arguments "at=PATH" and "number=N"
# of ProgramRequest.volumes, and each service that holds it "HOLDING=PATH".

struct NetworkConfig {
  # init hands it to the service that exports a NetworkManager, as arguments after those of the manifest:
  # "config=dhcp", "config=static" or "config=none", "hostname=NAME"; for static also "address=A", "netmask=M",
  # "gateway=G" and one "nameserver=N" each.
  union {
    dhcp @0 :Void;
    static :group { addr @1 :Text; netmask @2 :Text; gateway @3 :Text; nameServers @4 :List(Text); }
    none @5 :Void;
  }
  hostName @6 :Text;
}

struct ProgramRequest {
  args @0 :List(Text);          # args[0] names the program: a name from PATH or a path
  env @1 :List(Text);           # K=V
  ordinaryNetwork @2 :Bool;     # the usual rights: all of the network and name resolution
  grants @3 :List(NetworkGrant);
  resolve @4 :Bool;
  files @5 :List(Text);         # informational: host files put in
  listCapabilities @6 :Bool;    # `capos caps`: print who holds what instead of running a program
  network @7 :NetworkConfig;    # replaces the manifest's when hasNetwork
  hasNetwork @8 :Bool;
  stdinIsTerminal @9 :Bool;
  stdoutIsTerminal @10 :Bool;
  stderrIsTerminal @11 :Bool;
  outputs @12 :List(Text);      # files and directories that init sends to the host after the program's end
  directory @13 :Text;          # where the program starts; empty: the root
  terminal @14 :Bool;           # the program is given a TerminalSession in place of stdin, stdout and stderr
  columns @15 :UInt16;          # of it
  rows @16 :UInt16;
  volumes @17 :List(Text);      # where the services that export a "volume" are mounted, in their order; absolute paths
}

struct StartInfo {
  # In the start block of every process, found by the auxiliary vector's entry AT_CAPOS_START.
  capabilities @0 :List(NamedCapability);
  processName @1 :Text;
}

struct NamedCapability {
  name @0 :Text;
  id @1 :UInt64;
  interface @2 :UInt64;
}
