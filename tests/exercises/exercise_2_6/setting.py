"""Names and places that the drills and the judges of exercise 2.6 share."""

FROM_STRING, FROM_FILE, FROM_VARIABLE = "mysql_root_password", "passwd_file", "db_password"
ECHOED, SECOND, BINARY, UNICODE = "echoed", "db_password_v2", "binary", "unicode"
CANARY = "canary"
NAMES = (FROM_STRING, FROM_FILE, FROM_VARIABLE, ECHOED, SECOND, BINARY, UNICODE, CANARY)
"""Every secret that is created one by one."""

SECRETS = "/run/secrets"
TARGET = "db_pass"
"""The target of FROM_VARIABLE: a name below SECRETS."""

ABSOLUTE = "/etc/app/unicode"
"""The target of UNICODE: a path."""

NAME = "multitier"
WEB, API, DB = "web", "api", "db"
"""The stack and its services, by their names in the stack file."""

REPLICAS = 2
OLD_ROLE, NEW_ROLE = "app_a", "app_b"
OLD_PASSWORD, NEW_PASSWORD = "db_password_v1", "db_password_v2"
"""PostgreSQL's roles, which take turns, and the secrets with their passwords."""
