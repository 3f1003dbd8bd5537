"""Puts the repository's own stacks and scripts into the reference submission: `make reference`.

A submission is read without following links, and must be whole where it lies. So the reference
holds copies, made here and by nobody's hand; a unit test compares them with what they are made of.
What a submission of everything at once needs to be different is said below, word by word.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
REFERENCE = Path(__file__).parent / "reference"


@dataclass(frozen=True)
class Copy:
    """A file of the reference: where it comes from, and which words are others in it.

    `instead`: pairs of what stands there and what is to stand there, each exactly once.
    """

    place: str
    source: str
    instead: tuple[tuple[str, str], ...] = ()

    def content(self) -> bytes:
        """What the reference's file is to hold. Raises ValueError where a word is not there."""
        raw = (REPOSITORY / self.source).read_bytes()
        for old, new in self.instead:
            if raw.count(old.encode()) != 1:
                raise ValueError(
                    f"{self.source}: {old!r} stands there {raw.count(old.encode())} times"
                )
            raw = raw.replace(old.encode(), new.encode())
        return raw


WEB = """  web:
    image: nginx:alpine
"""

API = """  api:
    image: myapi:latest
    networks: [front, back]
"""


def looks(before: str, often: int, seldom: int) -> tuple[str, str]:
    """A health check's interval, in seconds, after the end of the line before it: less often.

    In an exercise one waits for it. Here all of the lab's services are there at once, and each look
    is a program in a container.
    """
    line = f"{before}\n      interval: {{}}s\n"
    return line.format(often), line.format(seldom)


def others(secret: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Another name of a secret, since WordPress has that one: where it is made and asked for."""
    return (
        (f"docker secret create {secret} -", f"docker secret create shop_{secret} -"),
        (
            f"  {secret}:\n    external: true\n",
            f"  {secret}:\n    external: true\n    name: shop_{secret}\n",
        ),
    )


def with_its_file(config: str, part: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """A config that the stack itself creates, of its file, and no command before it."""
    file = f"ecommerce/{part}/nginx.conf"
    return (
        (f"#   docker config create {config} {file}\n", ""),
        (f"    external: true\n    name: {config}\n", f"    file: ./{file}\n    name: {config}\n"),
    )


ONE = "      replicas: 1\n      update_config:\n        parallelism: 1"

COPIES = (
    # Three replicas are what the lab asks for. The first deployment is one with the variable 1.
    Copy("stacks/wordpress-stack.yml", "stacks/wordpress-stack.yml",
         ((ONE, ONE.replace("1", "${WORDPRESS_REPLICAS:-3}", 1)),)),
    # WordPress has 8080. The site is published, so that one can see from outside what visitors see.
    Copy("stacks/health-stack.yml", "stacks/health-stack.yml",
         (('"8080:8080"', '"8082:8080"'),
          (WEB, WEB + '    ports:\n      - "8083:80"\n'),
          # The lab's intervals.
          looks('/health/live"]', 5, 10), looks('"-t", "1"]', 2, 10), looks('PONG"]', 5, 10))),
    Copy("stacks/health/api.py", "stacks/health/api.py"),
    # Likewise its API, which logs in at the database whenever it is asked whether it is ready.
    Copy("stacks/multitier-stack.yml", "stacks/multitier-stack.yml",
         ((API, API + '    ports:\n      - "8084:8080"\n'),
          looks("then seldom.", 5, 15), looks(':8080/health"]', 5, 15),
          looks("127.0.0.1]", 5, 15))),
    Copy("stacks/multitier/api.py", "stacks/multitier/api.py"),
    Copy("stacks/multitier/nginx.conf", "stacks/multitier/nginx.conf"),
    Copy("stacks/multitier/db_user_a", "stacks/multitier/db_user_a"),
    # The version that is in use stands in the file: it is what is handed in.
    Copy("stacks/proxy-stack.yml", "stacks/proxy-stack.yml",
         (("${NGINX_CONFIG:-nginx_config}", "${NGINX_CONFIG:-nginx_config_v2}"),)),
    Copy("stacks/configs/nginx.conf", "stacks/configs/nginx.conf"),
    Copy("stacks/configs/nginx-v2.conf", "stacks/configs/nginx-v2.conf"),
    Copy("stacks/configs/backend.conf", "stacks/configs/backend.conf"),
    Copy("stacks/ecommerce-stack.yml", "stacks/ecommerce-stack.yml",
         (('"8080:80"', '"8081:80"'),
          *others("db_user"), *others("db_password"),
          *with_its_file("shop_frontend_v1", "frontend"),
          *with_its_file("shop_gateway_v1", "gateway"),
          ("-c ecommerce-stack.yml shop", "-c ecommerce-stack.yml ecommerce"),
          ("target=15672 shop_rabbitmq", "target=15672 ecommerce_rabbitmq"))),
    Copy("stacks/ecommerce/frontend/nginx.conf", "stacks/ecommerce/frontend/nginx.conf"),
    Copy("stacks/ecommerce/gateway/nginx.conf", "stacks/ecommerce/gateway/nginx.conf"),
    Copy("stacks/ecommerce/rabbitmq/shop.conf", "stacks/ecommerce/rabbitmq/shop.conf"),
    Copy("scripts/backup.sh", "stacks/backup/swarm-backup"),
    Copy("scripts/restore.sh", "stacks/backup/swarm-restore"),
    Copy("scripts/swarm-backup.service", "stacks/backup/swarm-backup.service"),
    Copy("scripts/swarm-backup-mend.service", "stacks/backup/swarm-backup-mend.service"),
    Copy("scripts/swarm-backup.timer", "stacks/backup/swarm-backup.timer"),
)  # fmt: skip
"""Every file that is a copy; what is not among them is written for the reference alone."""


def assemble(directory: Path = REFERENCE) -> None:
    """Write all of them."""
    for copy in COPIES:
        path = directory / copy.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(copy.content())
        shutil.copymode(REPOSITORY / copy.source, path)


if __name__ == "__main__":
    assemble()
