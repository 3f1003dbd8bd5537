/*
 * Lets User-mode Linux before 6.13 run on processors whose state is larger than it knows.
 *
 * It sets the state of a guest's processor with a buffer of 2,696 bytes. The host's kernel takes a
 * whole state only, which has 11,008 bytes where there is AMX, and says EFAULT. This library is
 * loaded before the C library. It puts the given bytes over the beginning of the state that the
 * guest's processor has now, and sets the whole.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* Far more than any processor's state has today. */
#define LARGEST (1 << 18)

typedef long request(int, pid_t, void *, void *);

static char state[LARGEST];

static long set_state(request *host, pid_t pid, struct iovec *given)
{
	struct iovec whole = { state, sizeof state };

	if (host(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &whole) < 0)
		return -1;
	if (whole.iov_len <= given->iov_len)
		return host(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, given);
	memcpy(state, given->iov_base, given->iov_len);
	return host(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request what, ...)
{
	static request *host;
	va_list words;
	pid_t pid;
	void *address, *data;

	if (!host)
		host = (request *)dlsym(RTLD_NEXT, "ptrace");
	va_start(words, what);
	pid = va_arg(words, pid_t);
	address = va_arg(words, void *);
	data = va_arg(words, void *);
	va_end(words);
	if (what == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE)
		return set_state(host, pid, data);
	return host(what, pid, address, data);
}
