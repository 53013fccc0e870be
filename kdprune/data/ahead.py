"""Work that a few threads do ahead of whoever asks for it, handed out in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 2
NAME = "kdprune-ahead"  # of its threads
WAITING = 4  # results that wait to be asked for, at most

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int = THREADS,
    waiting: int = WAITING,
) -> Generator[Result]:
    """Yield `work(item)` for each of `items` in their order, worked on ahead of time.

    At most `waiting` results are held. What `work` raises is raised where its result would come.
    The threads end with the generator, however that ends: leave it early within
    contextlib.closing.
    """
    pool = ThreadPoolExecutor(threads, NAME)
    begun: deque[Future[Result]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > waiting:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
