"""Addresses of services as they may be shown: an access key often stands in the rest of them."""

from __future__ import annotations

from urllib.parse import urlsplit

UNREADABLE = "an address that cannot be read"
"""Stands for what is no URL: nothing says which part of it is secret."""


def shown(url: str) -> str:
    """Return scheme, host and port of a URL: what a fault, a log line or a report may say.

    User, password, path, query and fragment are left out, for each of them may hold a key.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return UNREADABLE
    if not host or not parts.scheme:
        return UNREADABLE
    # A colon belongs to a host only in an address of IPv6, which is written in brackets.
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" if port is None else f"{parts.scheme}://{named}:{port}"


def host_of(url: str) -> str:
    """Return the host that a URL names."""
    try:
        return urlsplit(url).hostname or UNREADABLE
    except ValueError:
        return UNREADABLE


def port_of(url: str) -> int | None:
    """Return the port that a URL names; None when it names none, or cannot be read."""
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def shown_path(path: str) -> str:
    """Return a file's path whole, and of what is a URL in a path's place only what may be shown.

    A path that was read from a URL has lost one of its two slashes.
    """
    scheme, colon, rest = path.partition(":/")
    if not colon:
        return path
    return shown(f"{scheme}://{rest.lstrip('/')}")
