"""The MySQL server that the tests of MySQL and of WordPress share."""

IMAGE = "mysql:8.0"
DATA = "/var/lib/mysql"

# The server of the first start listens to nobody, so this is the real one.
READY = ("mysqladmin", "--host=127.0.0.1", "--connect-timeout=2", "ping")

ROOT_PASSWORD = 'it\'s the "root" of \\ all'  # noqa: S105 - nobody's
USER_PASSWORD = "MyWordPressPassword123!"  # noqa: S105 - the lab's

ENVIRONMENT = {
    "MYSQL_ROOT_PASSWORD_FILE": "/run/secrets/db_root_password",
    "MYSQL_DATABASE": "wordpress",
    "MYSQL_USER": "wordpress",
    "MYSQL_PASSWORD_FILE": "/run/secrets/db_password",
}
FILES = {
    "/run/secrets/db_root_password": ROOT_PASSWORD,
    # With the newline that the lab's own `echo` leaves.
    "/run/secrets/db_password": f"{USER_PASSWORD}\n",
}
