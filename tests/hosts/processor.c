/*
 * A host whose processors have a state of STATE bytes, or without XSAVE where STATE is 0: what ptrace
 * answers there. Loaded before the C library of a program that asks for states and sets them. It says
 * each size that is set.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

typedef long request(int, pid_t, void *, void *);

static char own[1 << 18];

static size_t least(size_t one, size_t other)
{
	return one < other ? one : other;
}

static long get(request *host, pid_t pid, struct iovec *wanted)
{
	struct iovec whole = { own, sizeof own };

	memset(own, 0, STATE);
	if (host(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &whole) < 0)
		return -1;
	wanted->iov_len = least(wanted->iov_len, STATE);
	memcpy(wanted->iov_base, own, wanted->iov_len);
	return 0;
}

static long set(request *host, pid_t pid, struct iovec *given)
{
	static size_t said;
	struct iovec whole = { own, sizeof own };
	size_t size = least(given->iov_len, STATE);

	if (said != size)
		dprintf(2, "\nhost: a state of %zu bytes is set\n", said = size);
	/* As xstateregs_set() in the kernel: the whole state and nothing less. */
	if (size != STATE) {
		errno = EFAULT;
		return -1;
	}
	if (host(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &whole) < 0)
		return -1;
	memcpy(own, given->iov_base, least(whole.iov_len, STATE));
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
	if (STATE == 0 && (long)address == NT_X86_XSTATE) {
		errno = ENODEV;
		return -1;
	}
	if ((long)address == NT_X86_XSTATE && what == PTRACE_GETREGSET)
		return get(host, pid, data);
	if ((long)address == NT_X86_XSTATE && what == PTRACE_SETREGSET)
		return set(host, pid, data);
	return host(what, pid, address, data);
}
