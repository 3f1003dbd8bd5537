"""How gunicorn serves the API, and how it stops within Swarm's grace period."""

import os
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from orders import logs, settings

try:
    port = int(settings.number("PORT", 5000, 65535))
    drain_s = settings.number("DRAIN_SECONDS", 3, 60)
    for needed in ("DATABASE_URL", "RABBITMQ_URL", "JWT_SECRET"):
        settings.secret(needed)
except settings.Unusable as error:
    sys.exit(str(error))

bind = f"0.0.0.0:{port}"
# One process, so that its metrics are all there are; Swarm's replicas use the processors.
workers = 1
worker_class = "gthread"
threads = int(os.environ.get("THREADS", "8"))
worker_tmp_dir = "/dev/shm"  # noqa: S108 # its heartbeat must not wait for a disk
graceful_timeout = 5
timeout = 30
keepalive = 5
limit_request_line = 2048
logconfig_dict = {
    **logs.CONFIGURATION,
    "loggers": {
        **logs.CONFIGURATION["loggers"],
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
    },
}


def post_worker_init(_worker):
    """The process serves now; its work beside the requests begins."""
    from orders import wsgi

    signal.signal(signal.SIGUSR2, lambda *_: wsgi.leaving.set())
    wsgi.start()


def worker_exit(_server, _worker):
    """No request is left."""
    from orders import wsgi

    wsgi.end()


def when_ready(server):
    """Not every node hears at once that this task takes no more visitors.

    Those who still come are served for a while before gunicorn is told to stop; /ready says that
    the task is leaving.
    """

    def leave(_number, _frame):
        server.log.info("Told to stop: draining.")
        server.kill_workers(signal.SIGUSR2)
        threading.Timer(drain_s, server.signal, [signal.SIGTERM, None]).start()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    signal.signal(signal.SIGTERM, leave)
