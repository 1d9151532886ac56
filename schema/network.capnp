# SPDX-License-Identifier: MIT
# The network: what the NIC driver serves to netstack, and what netstack serves to programs.
#
# Method results named "...Index" are positions among the capabilities that came with the reply, parameters
# of that name positions among those sent.  Addresses are Data of 0 bytes (unspecified, where allowed), 4 (IPv4)
# or 16 (IPv6); any other length is Status.malformedAddress.  Ports are in host order.  Failure is a Status.

@0xd4f1c2a98b3e7a65;

enum IpAddressFamily { unspecified @0; ipv4 @1; ipv6 @2; }

interface Nic {
  # Served by a NIC driver, held by netstack.
  transmit   @0 (frame :Data) -> (result :Text, reason :Text, sideEffect :Text);
  receive    @1 () -> (frame :Data, observedEthertype :UInt16, result :Text, reason :Text, sideEffect :Text);
  macAddress @2 () -> (addr :Data, result :Text, reason :Text, sideEffect :Text);
  linkStatus @3 () -> (up :Bool, result :Text, reason :Text, sideEffect :Text);

  attach @4 (wakeIndex :UInt16, wakeBits :UInt64)
      -> (memoryIndex :UInt16, eventIndex :UInt16, eventBits :UInt64, bufferSize :UInt32,
          receiveBuffers :UInt32, transmitBuffers :UInt32, mtu :UInt16, checksumOffload :Bool, macAddress :Data);
  # Attaches the one client to the shared descriptor queues (libcapos/include/capos/nicqueue.h): memoryIndex holds
  # queues and all buffers.  The driver signals wakeBits of the client's event; the client signals eventBits of the
  # driver's.  checksumOffload is false: the client sends frames with finished checksums.  A second attach ends the first (netstack restarted).
  statistics @5 () -> (receivedFrames :UInt64, receivedBytes :UInt64, transmittedFrames :UInt64,
                       transmittedBytes :UInt64, dropped :UInt64, malformed :UInt64, interrupts :UInt64);
}

struct NetworkGrant {
  # One thing that a program may do to the network.
  union {
    all @0 :Void;                       # everything
    connect :group {                    # TCP connect to this host (a name, or an address in text) and port
      host @1 :Text; port @2 :UInt16;   # port 0: any port
    }
    listen @3 :UInt16;                  # TCP listen on this port
    udp @4 :Void;                       # UDP, any peer
    icmp @5 :Void;                      # ICMP echo
  }
}

interface NetworkManager {
  # Authority over the network; what it extends to is fixed when it is made (restrict).
  getConfig         @0 () -> (addr :Data, netmask :Data, gateway :Data,
                              addressFamily :IpAddressFamily, ipv6Supported :Bool,
                              mtu :UInt16, macAddress :Data);
  # mtu: bytes of the largest IP packet.  Waits until there is an address (by DHCP or the manifest), at most ten seconds: Status.networkDown.
  createTcpListener @1 (port :UInt16) -> (listenerIndex :UInt16);
  connectTcp        @2 (addr :Data, port :UInt16) -> (socketIndex :UInt16);
  createUdpSocket   @3 (localAddr :Data, localPort :UInt16) -> (socketIndex :UInt16);

  restrict @4 (grants :List(NetworkGrant)) -> (managerIndex :UInt16);
  # Another NetworkManager that extends to what both this one and one of the grants allow.
  openTcp @5 (wakeIndex :UInt16, wakeBits :UInt64) -> (socketIndex :UInt16, channel :ChannelRef);
  openUdp @6 (wakeIndex :UInt16, wakeBits :UInt64) -> (socketIndex :UInt16, channel :ChannelRef);
  # accessDenied without a grant for UDP.
  openIcmp @7 (wakeIndex :UInt16, wakeBits :UInt64) -> (socketIndex :UInt16, channel :ChannelRef);
  # A RawSocket for ICMP echo; accessDenied without a grant for it.
  nameServers @8 () -> (addresses :List(Data));
  # Waits as getConfig does.
  connectAuthority @9 (host :Text, port :UInt16) -> (authorityIndex :UInt16);
  listenAuthority @10 (port :UInt16) -> (authorityIndex :UInt16);
  settle @11 () -> ();
  # Answers when the peers of all TCP sockets whose capabilities are gone have acknowledged what was sent and its end, at most
  # after five seconds (timedOut).  A process that turns the machine off asks this first, or what a program sent last is lost.
  # @12 stays reserved
  reserved12 @12 () -> ();
  openSession @13 (word :UInt64, accountIndex :UInt16, grants :List(NetworkGrant)) -> ();
  # Of the manager that the manifest exports alone (else accessDenied), for the owner of the service's endpoint: the object
  # that it mints there with this word (bit 63 set) is from now on a NetworkManager that extends to the grants.  Calls of it
  # that arrived before wait for this.  exists: the word is in use.  noBuffers: too many sessions.  What is made by the new
  # manager, and by what is restricted from it, is charged to the Account sent (right CALL): the memory of every socket's
  # channel, drawn and committed when the socket is opened or the connection accepted.  noMemory: the account has no more; a connection
  # then goes on waiting to be accepted.  Connections that wait cost the account nothing: what they have received is
  # bounded, in memory that netstack has had since its start.  Memory that its holder keeps longer than the socket stays
  # charged.  A share of netstack's own tables and buffers is the session's too: noBuffers when it is used up.  The account
  # must be the kernel's: netstack waits for its answers.
}

struct ChannelRef {
  # Where a socket's data moves: libcapos/include/capos/channel.h.  The memory is the server's, checked by the client too.
  memoryIndex @0 :UInt16;
  eventIndex @1 :UInt16;    # the server's event
  eventBits @2 :UInt64;     # which bits of it the client signals
}

interface TcpListenAuthority {
  # May listen on one port, nothing else.
  listen @0 () -> (listenerIndex :UInt16);
}

interface TcpConnectAuthority {
  # May connect to one host and port, nothing else.  addr unspecified: any address that the host's name has.
  connect @0 (addr :Data) -> (socketIndex :UInt16);
  open @1 (wakeIndex :UInt16, wakeBits :UInt64) -> (socketIndex :UInt16, channel :ChannelRef);
}

interface TcpListener {
  accept @0 () -> (socketIndex :UInt16, peerAddr :Data, peerPort :UInt16);
  close  @1 () -> ();
}

struct SocketAddress {
  addr @0 :Data;
  port @1 :UInt16;
}

enum SocketOption {
  # value is an integer as setsockopt has it; times in milliseconds.
  none @0;
  reuseAddress @1;
  keepAlive @2;
  noDelay @3;
  linger @4;        # -1: off; else seconds
  receiveBuffer @5; # bytes
  sendBuffer @6;
  broadcast @7;
  timeToLive @8;
  typeOfService @9;
  keepIdle @10;     # seconds
  keepInterval @11; # seconds
  keepCount @12;
  multicastTimeToLive @13;
}

interface TcpSocket {
  send  @0 (data :Data) -> (bytesSent :UInt32);
  recv  @1 (maxLen :UInt32) -> (data :Data);
  # Without a channel: sends and receives by message, waiting as long as it takes; recv of 0 bytes: the peer's FIN.
  close @2 () -> ();
  # @3 stays reserved
  reserved3 @3 () -> ();

  connect @4 (addr :Data, port :UInt16) -> ();
  # Answers when the connection stands or has failed.  The channel's status says the same.
  bind @5 (addr :Data, port :UInt16) -> ();
  listen @6 (backlog :UInt32) -> ();
  accept @7 (wakeIndex :UInt16, wakeBits :UInt64)
      -> (socketIndex :UInt16, channel :ChannelRef, peer :SocketAddress);
  # Of a listening socket.  Never waits: Status.wouldBlock when the channel's pending count is 0.
  shutdown @8 (receive :Bool, send :Bool) -> ();
  # send: what is in the queue goes out before the FIN.  While a connect is under way either ends it with connectionReset.
  localAddress @9 () -> (address :SocketAddress);
  peerAddress @10 () -> (address :SocketAddress);
  setOption @11 (option :SocketOption, value :Int32) -> ();
  getOption @12 (option :SocketOption) -> (value :Int32);
  startConnect @13 (addr :Data, port :UInt16) -> ();
  # As connect, but answers when the attempt has begun.  From then on the channel's status and error alone say how it
  # goes, so that every process that has the channel sees the same.
}

interface UdpSocket {
  sendTo   @0 (addr :Data, port :UInt16, data :Data) -> (bytesSent :UInt32);
  recvFrom @1 (maxLen :UInt32) -> (addr :Data, port :UInt16, data :Data);
  close    @2 () -> ();

  bind @3 (addr :Data, port :UInt16) -> ();
  connect @4 (addr :Data, port :UInt16) -> ();
  # Fixes the peer: others' datagrams are dropped.  port 0 with an unspecified address: no fixed peer again.
  localAddress @5 () -> (address :SocketAddress);
  peerAddress @6 () -> (address :SocketAddress);
  setOption @7 (option :SocketOption, value :Int32) -> ();
  getOption @8 (option :SocketOption) -> (value :Int32);
}

interface RawSocket {
  # ICMP echo requests out; in, echo replies to the same session's sockets, and errors about what these sent, by UDP and
  # TCP too: whole IPv4 packets (RFC 791) as a raw socket gives them.  Datagrams out are ICMP messages (RFC 792)
  # without the IP header; anything but an echo request is dropped and counted as an error: Status.accessDenied in the
  # channel.
  bind @0 (addr :Data) -> ();
  connect @1 (addr :Data) -> ();
  localAddress @2 () -> (address :SocketAddress);
  setOption @3 (option :SocketOption, value :Int32) -> ();
  getOption @4 (option :SocketOption) -> (value :Int32);
}

interface DnsResolver {
  resolve @0 (name :Text, family :IpAddressFamily) -> (addresses :List(Data));
  # The name's A records.  unspecified is ipv4 here; ipv6 answers noData.  nameNotFound, noData, tryAgain,
  # accessDenied, invalidArgument (not a host name).
}
