/* SPDX-License-Identifier: MIT */
/*
 * What is asked of a terminal besides its bytes.  Structures are those of Linux's system call,
 * whose termios is shorter than musl's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <capos/schema/status.h>

#include "terminal/tty.h"

#define MESSAGE 256u

struct kernel_termios {
	uint32_t input, output, control, local;
	uint8_t line;
	uint8_t characters[19];
};
_Static_assert(sizeof(struct kernel_termios) == 36, "Linux's layout");

#define CALL(name)                                  \
	_Alignas(8) uint8_t buffer_##name[MESSAGE]; \
	struct capos_call name = {.buffer = buffer_##name, .size = MESSAGE}

/* ---- Attributes ---- */

static int get_attributes(const struct tty *t, void *argument)
{
	CALL(call);
	struct terminal_session_attributes_results session;
	struct terminal_master_attributes_results master;
	struct terminal_attributes a;
	int result = t->is_master ? terminal_master_attributes(t->object, &master, &call)
	                          : terminal_session_attributes(t->object, &session, &call);

	if (result)
		return errno_of(result);
	a = t->is_master ? master.attributes : session.attributes;
	struct kernel_termios k = {
	        .input = a.input, .output = a.output, .control = a.control, .local = a.local};
	if (a.characters.len != sizeof(k.characters))
		return -EIO;
	memcpy(k.characters, a.characters.ptr, sizeof(k.characters));
	return user_put(argument, &k);
}

static int set_attributes(const struct tty *t, const void *argument,
                          enum terminal_session_when when)
{
	CALL(call);
	struct kernel_termios k;
	int result = tty_may_use(t, SIGTTOU);

	if (result)
		return result;
	if (user_get(&k, argument))
		return -EFAULT;
	struct terminal_attributes a = {.input = k.input,
	                                .output = k.output,
	                                .control = k.control,
	                                .local = k.local,
	                                .characters = MSG_DATA(k.characters, sizeof(k.characters))};
	call.interruptible = true;
	if (t->is_master) {
		const struct terminal_master_set_attributes_params params = {.attributes = a};

		result = terminal_master_set_attributes(t->object, &params, &call);
	} else {
		const struct terminal_session_set_attributes_params params = {.attributes = a,
		                                                              .when = when};

		result = terminal_session_set_attributes(t->object, &params, &call);
	}
	return errno_of(result);
}

/* ---- Window ---- */

static int get_window(const struct tty *t, void *argument)
{
	CALL(call);
	struct terminal_session_window_results session;
	struct terminal_master_window_results master;
	struct terminal_window w;
	int result = t->is_master ? terminal_master_window(t->object, &master, &call)
	                          : terminal_session_window(t->object, &session, &call);

	if (result)
		return errno_of(result);
	w = t->is_master ? master.window : session.window;
	const struct winsize size = {
	        .ws_row = w.rows, .ws_col = w.columns, .ws_xpixel = w.width, .ws_ypixel = w.height};
	return user_put(argument, &size);
}

static int set_window(const struct tty *t, const void *argument)
{
	struct winsize size;

	if (user_get(&size, argument))
		return -EFAULT;
	const struct terminal_window w = {.rows = size.ws_row,
	                                  .columns = size.ws_col,
	                                  .width = size.ws_xpixel,
	                                  .height = size.ws_ypixel};
	const struct terminal_session_set_window_params session = {.window = w};
	const struct terminal_master_set_window_params master = {.window = w};

	return errno_of(t->is_master ? terminal_master_set_window(t->object, &master, NULL)
	                             : terminal_session_set_window(t->object, &session, NULL));
}

/* ---- Flush, drain, flow ---- */

static int drain(const struct tty *t)
{
	CALL(call);

	if (t->is_master)
		return 0;
	call.interruptible = true;
	return errno_of(terminal_session_drain(t->object, &call));
}

static int flush(const struct tty *t, long which)
{
	const bool input = which != TCOFLUSH, output = which != TCIFLUSH;
	const struct terminal_session_flush_params session = {.input = input, .output = output};
	const struct terminal_master_flush_params master = {.input = input, .output = output};

	if (which != TCIFLUSH && which != TCOFLUSH && which != TCIOFLUSH)
		return -EINVAL;
	return errno_of(t->is_master ? terminal_master_flush(t->object, &master, NULL)
	                             : terminal_session_flush(t->object, &session, NULL));
}

static int flow(const struct tty *t, long action)
{
	const struct terminal_session_flow_params params = {.stop = action == TCOOFF};

	if (action == TCIOFF || action == TCION)
		return 0; /* the other end takes no notice of VSTOP and VSTART */
	if ((action != TCOOFF && action != TCOON) || t->is_master)
		return -EINVAL;
	return errno_of(terminal_session_flow(t->object, &params, NULL));
}

/* What changes the terminal for all is the foreground's, as to write under TOSTOP is. */
static int control_line(const struct tty *t, unsigned long request, long argument)
{
	int result = tty_may_use(t, SIGTTOU);

	if (result)
		return result;
	switch (request) {
	case TCFLSH:
		return flush(t, argument);
	case TCXONC:
		return flow(t, argument);
	default: /* tcdrain, and tcsendbreak, which means nothing here */
		return drain(t);
	}
}

/* ---- Sessions and groups ---- */

int tty_take_control(struct tty *t)
{
	CALL(call);
	struct capos_send_cap send = {.rights = CAP_RIGHTS_ALL};
	const struct terminal_session_control_params params = {.session_index = 0};
	int result;

	if (!terminal_world.take || t->is_master)
		return -EPERM;
	result = terminal_world.take(t->object, t->number, &send.cap);
	if (result)
		return result;
	call.send_caps = &send;
	call.send_ncaps = 1;
	call.interruptible = true; /* the session that has it is asked first */
	result = terminal_session_control(t->object, &params, &call);
	cap_release(send.cap);
	if (!result)
		return 0;
	(void)terminal_world.leave();
	return result == STATUS_BUSY ? -EPERM : errno_of(result); /* busy: another session's */
}

/* Whether it is the controlling terminal of the caller: 0 or -ENOTTY. */
static int is_controlling(const struct tty *t)
{
	struct terminal_job job;

	if (!terminal_world.job || terminal_world.job(&job) || !job.controlled ||
	    job.terminal != t->number)
		return -ENOTTY;
	return 0;
}

static int take_control(struct tty *t)
{
	/* Linux takes it as done, when it is this one. */
	return is_controlling(t) ? tty_take_control(t) : 0;
}

static int get_group(const struct tty *t, void *argument)
{
	uint32_t group;
	int result = is_controlling(t);

	if (!result)
		result = terminal_world.foreground(&group);
	return result ? result : user_put(argument, &(int){(int)group});
}

static int set_group(const struct tty *t, const void *argument)
{
	int group, result = is_controlling(t);

	if (!result && user_get(&group, argument))
		result = -EFAULT;
	if (!result && group < 0)
		result = -EINVAL;
	if (!result)
		result = tty_may_use(t, SIGTTOU);
	return result ? result : terminal_world.set_foreground((uint32_t)group);
}

static int get_session(const struct tty *t, void *argument)
{
	uint32_t session;
	int result = is_controlling(t);

	if (!result)
		result = terminal_world.session(&session);
	return result ? result : user_put(argument, &(int){(int)session});
}

/* ---- Of masters ---- */

static int set_lock(const struct tty *t, const void *argument)
{
	struct terminal_master_unlock_params params;
	int locked;

	if (user_get(&locked, argument))
		return -EFAULT;
	params.locked = locked != 0;
	return errno_of(terminal_master_unlock(t->object, &params, NULL));
}

static int open_peer(const struct tty *t, long flags)
{
	CALL(call);
	struct terminal_master_session_results results;
	struct file *f;
	int fd, result = terminal_master_session(t->object, &results, &call);

	if (!result && results.terminal_index >= call.ncaps)
		result = CAP_EMESSAGE;
	if (result)
		return errno_of(result);
	result = tty_open_session(call.caps[results.terminal_index],
	                          (int)flags & (O_ACCMODE | O_NONBLOCK), &f);
	cap_release(call.caps[results.terminal_index]);
	if (result)
		return result;
	fd = fd_install(f, 0, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static int send_signal(const struct tty *t, long signal)
{
	const struct terminal_master_signal_params params = {.signal = (uint32_t)signal};

	if (signal < 1 || signal > 64)
		return -EINVAL;
	return errno_of(terminal_master_signal(t->object, &params, NULL));
}

/* TIOCPKT; what happened before is no news. */
static int set_packets(const struct tty *t, const void *argument)
{
	struct terminal_shared *shared = terminal_shared(t->chan.channel.shared);
	int on;

	if (user_get(&on, argument))
		return -EFAULT;
	if (on && !atomic_load(&shared->packets))
		atomic_store(&shared->news, 0);
	atomic_store(&shared->packets, on != 0);
	return 0;
}

static int get_packets(const struct tty *t, void *argument)
{
	struct terminal_shared *shared = terminal_shared(t->chan.channel.shared);

	return user_put(argument, &(int){(int)atomic_load(&shared->packets)});
}

static int master_ioctl(const struct tty *t, unsigned long request, void *argument)
{
	switch (request) {
	case TIOCGPTN:
		return user_put(argument, &(unsigned){t->number});
	case TIOCSPTLCK:
		return set_lock(t, argument);
	case TIOCGPTPEER:
		return open_peer(t, (long)argument);
	case TIOCPKT:
		return set_packets(t, argument);
	case TIOCGPKT:
		return get_packets(t, argument);
	case TIOCSIG:
		return send_signal(t, (long)argument);
	}
	return -ENOTTY;
}

/* ---- All ---- */

static int push(const struct tty *t, const void *argument)
{
	struct terminal_session_push_params params;

	if (user_read(&params.byte, (long)argument, 1))
		return -EFAULT;
	return errno_of(terminal_session_push(t->object, &params, NULL));
}

static int session_ioctl(struct tty *t, unsigned long request, void *argument)
{
	switch (request) {
	case TIOCSCTTY:
		return take_control(t);
	case TIOCNOTTY:
		return is_controlling(t) ? -ENOTTY : terminal_world.leave();
	case TIOCGPGRP:
		return get_group(t, argument);
	case TIOCSPGRP:
		return set_group(t, argument);
	case TIOCGSID:
		return get_session(t, argument);
	case TIOCSTI:
		return push(t, argument);
	}
	return -ENOTTY;
}

int tty_ioctl(struct file *f, unsigned long request, void *argument)
{
	struct tty *t = f->data;

	if (tty_is_hung_up(t))
		return request == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (request) {
	case TCGETS:
		return get_attributes(t, argument);
	case TCSETS:
		return set_attributes(t, argument, TERMINAL_SESSION_WHEN_NOW);
	case TCSETSW:
		return set_attributes(t, argument, TERMINAL_SESSION_WHEN_DRAINED);
	case TCSETSF:
		return set_attributes(t, argument, TERMINAL_SESSION_WHEN_FLUSHED);
	case TIOCGWINSZ:
		return get_window(t, argument);
	case TIOCSWINSZ:
		return set_window(t, argument);
	case TCSBRK:
	case TCSBRKP:
	case TCFLSH:
	case TCXONC:
		return control_line(t, request, (long)argument);
	case FIONREAD:
		return user_put(argument, &(int){(int)tty_readable(t)});
	case TIOCOUTQ:
		chan_look(&t->chan);
		return user_put(argument, &(int){(int)(t->chan.channel.send.capacity -
		                                       queue_writable(&t->chan.channel.send))});
	}
	return t->is_master ? master_ioctl(t, request, argument)
	                    : session_ioctl(t, request, argument);
}
