# SPDX-License-Identifier: MIT
# The options that Linux's and musl's headers define, as a list for posix_absent.c: OPTION(group, "NAME", number).
# Headers are the arguments, the group is the header's name; what begins as an option but is a value of one is left out.

BEGIN {
	pattern["socket"] = "SO_[A-Z0-9_]+"
	pattern["in"] = "(IP|MCAST)_[A-Z0-9_]+"
	pattern["tcp"] = "TCP_[A-Z0-9_]+"
	pattern["udp"] = "UDP_[A-Z0-9_]+"
	pattern["sockios"] = "SIOC[A-Z0-9_]+"
	pattern["prctl"] = "PR_[A-Z0-9_]+"
	pattern["arch_prctl"] = "ARCH_[A-Z0-9_]+"
	pattern["futex"] = "FUTEX_[A-Z0-9_]+"
	pattern["mman_common"] = "MADV_[A-Z0-9_]+"
	pattern["sched"] = "CLONE_[A-Z0-9_]+"
	pattern["fcntl"] = "F_[A-Z0-9_]+"
	value = "^(IP_(PMTUDISC|DEFAULT|MSFILTER_SIZE)|MCAST_(EX|IN)CLUDE|TCP_(MSS|AO_MAXKEYLEN|REPAIR_O|MD5SIG_[FM]|RECEIVE_)|" \
		"UDP_ENCAP_|PR_(SET_MM_|MCE_KILL_|FP|UNALIGN|TIMING|ENDIAN|TSC|SPEC|CAP_AMBIENT_|PAC_AP|" \
		"SCHED_CORE_|SYS_DISPATCH|SVE_VL|SME_VL|SVE_SET_VL_|SME_SET_VL_|TAGGED|MTE|SET_VMA_|SET_PTRACER_)|" \
		"FUTEX_(OP_|PRIVATE|CLOCK|CMD|WAITERS|OWNER|TID|BITSET|WAITV|32$)|" \
		"CLONE_(ARGS|CLEAR_SIGHAND|INTO_CGROUP|NEWTIME|DETACHED)|" \
		"ARCH_XCOMP_TILE|F_(OK|LOCK|TEST|TLOCK|ULOCK|RDLCK|WRLCK|UNLCK|SEAL_|OWNER_|EXLCK|SHLCK))"
}
FNR == 1 {
	group = FILENAME
	sub(/.*\//, "", group)
	sub(/\.h$/, "", group)
	gsub(/-/, "_", group)
	if (FILENAME ~ /asm\/prctl\.h$/)
		group = "arch_prctl"
}
$1 == "#define" && $2 ~ "^(" pattern[group] ")$" && $2 !~ value && $3 ~ /^(0[xX][0-9a-fA-F]+|[0-9]+)$/ {
	name = $2
	if (group == "socket")
		sub(/_OLD$/, "", name) # the name without it is the one that x86-64 programs use
	if (!(name in line))
		order[count++] = name
	line[name] = "OPTION(" group ", \"" name "\", " $3 ")" # of two definitions the last is x86-64's
}
END {
	for (i = 0; i < count; i++)
		print line[order[i]]
}
