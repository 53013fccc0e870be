"""One way to download: with resume, time-outs, back-off, bounds of size and time, and progress."""

import hashlib
import random
import sys
import time
from pathlib import Path

import requests
from tqdm import tqdm

from kdprune.sources.addresses import Unreachable, asking, require_safe, shown
from kdprune.sources.patience import Patience

ATTEMPTS = 5  # in a row without progress
TIMEOUT = (10, 30)  # seconds to connect, and between bytes
PAUSE = 0.5  # seconds before the second attempt; doubled each time, up to LONGEST
LONGEST = 30.0
PASSING = {408, 425, 429, 500, 502, 503, 504}  # worth another attempt
CHUNK = 2**14  # bytes; what a cut connection loses at most, for a chunk arrives whole or not at all
LIMIT = 400 * 2**20  # bytes; the largest file of any source has 170 MB
DIGITS = 18  # of a length that is read; Python refuses to read thousands
TOTAL = 3 * 3600.0  # seconds in all; the authors' server takes an hour for its largest file
SLOWEST = 1000.0  # bytes a second, over each WINDOW; the slowest server is fifty times as fast
WINDOW = 60.0  # seconds


def download(
    url: str,
    target: Path,
    *,
    limit: int = LIMIT,
    checksum: str | None = None,
    show: bool = True,
    timeout: tuple[float, float] = TIMEOUT,
    pause: float = PAUSE,
    patience: tuple[float, float, float] = (TOTAL, SLOWEST, WINDOW),
) -> Path:
    """Download `url` to `target`, at most `limit` bytes; return `target`.

    `checksum` is "ALGORITHM:HEX". A `target` that is there and matches is not fetched again. What
    has arrived is kept in a file beside it, from which a later attempt, or a later call, goes on;
    it becomes `target` once it is complete and matches. Cut connections, time-outs, wrong bytes
    and servers that are busy are met with up to five attempts without progress, `pause` seconds
    and then ever further apart. `patience` is how many seconds all of it may take (three hours),
    and the bytes a second below which a server is given up, over how many seconds (1,000; 60).
    Raises Unreachable, a KdpruneError, with the reason.
    """
    require_safe(url)
    try:
        if target.is_file() and not _mismatch(target, checksum):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        reason = Patience(url, *patience).with_(
            lambda waiting: _persist(url, partial, checksum, limit, show, timeout, pause, waiting)
        )
        if reason is None:
            return partial.replace(target)
    except OSError as error:
        raise Unreachable(f"{target}: cannot be written ({error.strerror or error})") from None
    raise Unreachable(
        f"{shown(url)}: cannot be fetched ({reason}); try again, or use another data.source"
    )


def _persist(
    url: str,
    partial: Path,
    checksum: str | None,
    limit: int,
    show: bool,
    timeout: tuple[float, float],
    pause: float,
    waiting: Patience,
) -> str | None:
    """Try until `partial` is complete (None) or hope is lost (the reason)."""
    failures, most, reason = 0, _size(partial), ""
    while failures < ATTEMPTS:
        try:
            _attempt(url, partial, waiting, limit=limit, show=show, timeout=timeout)
            if not (mismatch := _mismatch(partial, checksum)):
                return None
            partial.unlink()  # perhaps the file changed between two attempts: begin anew
            reason = mismatch
        except requests.RequestException as error:
            reason = _reason(error)
            if not _is_passing(error):
                return reason
        # Only what goes beyond all earlier attempts is progress: a server that cannot resume may
        # cut every answer elsewhere, and would be asked for ever.
        failures = 1 if _size(partial) > most else failures + 1
        most = max(most, _size(partial))
        if failures < ATTEMPTS:
            delay = min(LONGEST, pause * 2 ** (failures - 1))
            with waiting.resting():
                time.sleep(delay * random.uniform(0.75, 1.25))  # many clients, one server
    return reason


def _attempt(
    url: str,
    partial: Path,
    waiting: Patience,
    *,
    limit: int,
    show: bool,
    timeout: tuple[float, float],
) -> None:
    have = _size(partial)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with asking(url, headers, timeout) as response:
        if response.status_code == 416:  # the partial file is no beginning of what there is
            partial.unlink(missing_ok=True)
            raise requests.ConnectionError("the partial file did not fit and was dropped")
        response.raise_for_status()
        begins = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status_code == 206 and not begins:
            raise requests.ConnectionError("the server answered with another range")
        if response.status_code != 206:
            have = 0  # the server starts from the beginning
        length = response.headers.get("Content-Length", "")
        known = length.isascii() and length.isdigit()  # ² is a digit, and no number
        if known and len(length) > DIGITS:
            raise Unreachable(f"{shown(url)}: announces more than {limit:,} bytes; not fetched")
        total = have + int(length) if known else None
        if total is not None and total > limit:
            raise Unreachable(f"{shown(url)}: is {total:,} bytes; at most {limit:,} are accepted")
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
                    file.truncate(0)  # no beginning of anything that would be accepted
                    raise Unreachable(f"{shown(url)}: sends more than {limit:,} bytes; stopped")
                waiting.arrived(len(chunk))
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and have < total:
        raise requests.ConnectionError(f"cut off after {have:,} of {total:,} bytes")


def _mismatch(file: Path, checksum: str | None) -> str | None:
    if checksum is None:
        return None
    algorithm, _, expected = checksum.partition(":")
    with file.open("rb") as content:
        actual = hashlib.file_digest(content, algorithm).hexdigest()
    return None if actual == expected else f"its {algorithm} is {actual}, not {expected}"


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return "time-out"
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else "cut"


def _is_passing(error: requests.RequestException) -> bool:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):  # no attempt will mend that; a cut TLS is passing
        return False
    if isinstance(error, ValueError):  # no address that could be asked
        return False
    return error.response is None or error.response.status_code in PASSING
