"""Which addresses are asked: https, or this very machine; each redirection is looked at first."""

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from kdprune.errors import KdpruneError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_HOPS = 10


class Unreachable(KdpruneError):
    """A file that could not be fetched, in contrast to one that holds the wrong things."""


def shown(url: str) -> str:
    """Return `url` without the name and password that a mirror's address may hold."""
    parts = _parts(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def require_safe(url: str, origin: str | None = None) -> None:
    """Raise Unreachable unless `url` is https, or http on this machine.

    `origin` is what redirected to it: from elsewhere, no answer may lead to this machine's own
    servers by http.
    """
    parts = _parts(url)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if origin is not None and _parts(origin).hostname not in LOOPBACK:
        local = False
    if parts.scheme != "https" and not local:
        raise Unreachable(f"{shown(url)}: only https addresses are fetched")


@contextlib.contextmanager
def asking(
    url: str, headers: dict[str, str], timeout: tuple[float, float]
) -> Iterator[requests.Response]:
    """Ask for `url`, and follow redirections, none of which is asked before it is found safe.

    Raises Unreachable for an unsafe one, and requests' exceptions.
    """
    asked = {"headers": headers, "timeout": timeout, "stream": True, "allow_redirects": False}
    for _ in range(MOST_HOPS + 1):
        with _asked(url, **asked) as response:
            if not response.is_redirect:
                yield response
                return
            onward = urljoin(url, response.headers["Location"])
            require_safe(onward, url)
        url = onward
    raise Unreachable(f"{shown(url)}: redirects more than {MOST_HOPS} times")


def _asked(url: str, **how: Any) -> requests.Response:
    try:
        return requests.get(url, **how)
    except requests.RequestException:
        raise
    except (HTTPError, ValueError) as error:
        # What requests lets through: a host's name that is none, and a redirection to no address,
        # which it looks at even where it does not follow
        reason = ascii(str(error))[1:-1][:200]
        raise Unreachable(
            f"{shown(url)}: is no address that can be asked, or redirects to none ({reason}); try "
            "another data.source"
        ) from None


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at only now
    except ValueError as error:
        told = ascii(url)[1:-1][:200].rpartition("@")[2]
        raise Unreachable(f"{told}: is no address ({error}); give one like https://host") from None
    return parts
