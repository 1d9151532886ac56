# SPDX-License-Identifier: MIT
# The two tables of doc/posix.md.  Input: the names of Linux's calls, one a line, then syscalls.h, absent.h and
# absent.inc; every subject of a refusal must be the name of a call, or have its calls in "calls_of" below.

BEGIN {
	NAMED_MAX = 12 # options of one call that its line still names
	calls_of["clock"] = "clock_gettime clock_getres clock_settime clock_nanosleep timer_create timerfd_create"
	calls_of["send of a datagram"] = "sendto sendmsg sendmmsg"
	calls_of["send"] = "sendto sendmsg sendmmsg"
	calls_of["recv"] = "recvfrom recvmsg recvmmsg"
	calls_of["socket option"] = "getsockopt setsockopt"
	calls_of["open"] = "open openat"
	calls_of["the processor clock of another process"] = "clock_gettime timer_create"
	calls_of["the files of /proc and /sys"] = "open openat"
	calls_of["an effect of nice values: they are kept and reported"] = "setpriority"
}
FNR == 1 {
	file++
}
file == 1 {
	linux[calls++] = $1
	known[$1] = 1
}
file == 2 && match($0, /SYSCALL\([a-z0-9_]+,/) {
	done[substr($0, RSTART + 8, RLENGTH - 9)] = 1
}
file == 3 && match($0, /SUBJECT\([A-Z0-9_]+, "[^"]*"\)/) {
	split(substr($0, RSTART, RLENGTH), part, "\"")
	name = part[1]
	gsub(/SUBJECT\(|, /, "", name)
	text[name] = part[2]
}
file == 4 && /^ABSENT\(/ {
	split($0, part, "\"")
	subject = part[1]
	gsub(/ABSENT\(|,.*/, "", subject)
	error = part[3]
	gsub(/[, )]/, "", error)
	subject = text[subject]
	option = part[2]
	sub(/^ /, "", subject)
	option_row[options++] = "| " subject " | " option " | " (error == "0" ? "" : error) " |"
	count = split(calls_for(subject, option), names, " ")
	for (i = 1; i <= count; i++) {
		missing[names[i]]++
		names_missing[names[i]] = names_missing[names[i]] (missing[names[i]] > 1 ? ", " : "") option
	}
}

# The names of the calls that a refusal belongs to.
function calls_for(subject, option,    words, n, i, found)
{
	if (subject in calls_of)
		return calls_of[subject]
	if (subject == "" && option in calls_of)
		return calls_of[option]
	n = split(subject == "" ? option : subject, words, /[^a-z0-9_]+/)
	for (i = 1; i <= n && words[i] in known; i += 2) { # "mmap and mprotect with ..."
		found = found " " words[i]
		if (words[i + 1] !~ /^(and|or)$/)
			break
	}
	if (found == "") {
		print "posix-doc.awk: no call for " subject " " option >"/dev/stderr"
		failed = 1
	}
	return found
}

# The names of the calls in one state, as a paragraph of at most 80 columns.
function paragraph(title, state,    i, line)
{
	printf "## %s\n\n", title
	for (i = 0; i < calls; i++) {
		if (state_of(linux[i]) != state)
			continue
		if (length(line) + 1 + length(linux[i]) > 80) {
			print line
			line = ""
		}
		line = line (line == "" ? "" : " ") linux[i]
	}
	print line "\n"
}

function state_of(call)
{
	return !(call in done) ? "absent" : call in missing ? "partial" : "done"
}

END {
	if (failed)
		exit 1
	paragraph("Done", "done")
	print "## Partial\n\n| call | what is missing |\n|---|---|"
	for (i = 0; i < calls; i++)
		if (state_of(linux[i]) == "partial")
			printf "| %s | %s |\n", linux[i], missing[linux[i]] <= NAMED_MAX ? \
				names_missing[linux[i]] : missing[linux[i]] " options, below"
	print ""
	paragraph("Absent", "absent")
	print "## Options that are refused\n\n| call | option | errno |\n|---|---|---|"
	for (i = 0; i < options; i++)
		print option_row[i]
}
