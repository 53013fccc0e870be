"""One way to download: with resume, time-outs, back-off and a progress bar."""

import random
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from kdprune.errors import KdpruneError

ATTEMPTS = 5  # in a row without a byte of progress
TIMEOUT = (10, 30)  # seconds to connect, and between bytes
PAUSE = 0.5  # seconds before the second attempt; doubled each time, up to LONGEST
LONGEST = 30.0
PASSING = {408, 425, 429, 500, 502, 503, 504}  # worth another attempt
CHUNK = 2**18
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def download(
    url: str,
    target: Path,
    *,
    limit: int,
    show: bool = True,
    timeout: tuple[float, float] = TIMEOUT,
    pause: float = PAUSE,
) -> Path:
    """Download `url` to `target`, at most `limit` bytes; return `target`.

    A complete `target` is not fetched again. What has arrived is kept in a file beside it, from
    which a later attempt, or a later call, goes on. Cut connections, time-outs and servers that
    are busy are met with up to five attempts without progress, ever further apart. Raises
    KdpruneError for what cannot be had, with the reason.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise KdpruneError(f"{url}: only https addresses are fetched")
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        failures, reason = 0, ""
        while failures < ATTEMPTS:
            before = partial.stat().st_size if partial.exists() else 0
            try:
                _attempt(url, partial, limit=limit, show=show, timeout=timeout)
            except requests.RequestException as error:
                reason = _reason(error)
                if not _is_passing(error):
                    break
            else:
                return partial.replace(target)
            arrived = partial.stat().st_size if partial.exists() else 0
            failures = 1 if arrived > before else failures + 1
            if failures < ATTEMPTS:
                delay = min(LONGEST, pause * 2 ** (failures - 1))
                time.sleep(delay * random.uniform(0.75, 1.25))  # many clients, one server
    except OSError as error:
        raise KdpruneError(f"{target}: cannot be written ({error.strerror or error})") from None
    raise KdpruneError(
        f"{url}: cannot be fetched ({reason}); try again, or use another data.source"
    )


def _attempt(
    url: str, partial: Path, *, limit: int, show: bool, timeout: tuple[float, float]
) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code == 416:  # the partial file is longer than what there is
            partial.unlink(missing_ok=True)
            raise requests.ConnectionError("the partial file did not fit and was dropped")
        response.raise_for_status()
        if response.status_code != 206:
            have = 0  # the server starts from the beginning
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        if total is not None and total > limit:
            raise KdpruneError(f"{url}: is {total:,} bytes; at most {limit:,} are accepted")
        bar = tqdm(
            desc=partial.name.removesuffix(".partial"),
            total=total,
            initial=have,
            unit="B",
            unit_scale=True,
            disable=not (show and sys.stderr.isatty()),
        )
        with bar, partial.open("ab" if have else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                have += len(chunk)
                if have > limit:
                    raise KdpruneError(f"{url}: sends more than {limit:,} bytes; stopped")
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and have < total:
        raise requests.ConnectionError(f"cut off after {have:,} of {total:,} bytes")


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "time-out"
    return f"{type(error).__name__}: {str(error).split(chr(10))[0][:200]}"


def _is_passing(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return False
    return error.response is None or error.response.status_code in PASSING
