"""Whom a configuration sends visitors on to is found in what proxies understand."""

from __future__ import annotations

import pytest

from pytest_swarmlab.marking.state.sends_on import hosts, of_the_swarm


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("location / { proxy_pass http://backend:8000; }", {"backend"}),
        ("set $api http://api:8080;\nproxy_pass $api;", {"api"}),
        ("upstream app { server one:80; server two weight=2; }\nproxy_pass http://app;",
         {"one", "two"}),
        ("server {\n  listen 80;\n  server_name example.com;\n  proxy_pass https://web/;\n}",
         {"web"}),
        ("# proxy_pass http://old;\nproxy_pass http://10.0.0.1:80;", {"10.0.0.1"}),
        ("backend app\n  server s1 backend:8000 check", {"backend"}),
        ("ProxyPass / http://backend:8000/", {"backend"}),
        ("reverse_proxy /api/* one:9000 two:9000", {"one", "two"}),
        ("return 301 https://$host$uri;", {"$host$uri"}),
        ("", set()),
    ],
)  # fmt: skip
def test_every_host_is_found(text: str, found: set[str]) -> None:
    assert hosts(text) == found


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("backend", "backend"),
        ("tasks.backend", "backend"),
        ("10.0.0.1", ""),
        ("example.com", ""),
        ("localhost", ""),
        ("$host", ""),
    ],
)
def test_a_name_that_others_may_know_is_not_the_swarms(host: str, name: str) -> None:
    assert of_the_swarm(host) == name
