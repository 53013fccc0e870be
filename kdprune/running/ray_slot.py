"""The body of an actor of Ray: a slot on a node."""

import time

from kdprune.running import ray_place, slot


class Slot:
    """An actor's body: one clone on a node, in which instances run one after another."""

    def __init__(self, study: str, bundled: bytes, settings: str, remote: bool) -> None:
        self.study, self.bundled, self.settings, self.remote = study, bundled, settings, remote
        self.place: ray_place.Place | None = None
        self.whole = True  # whether all that ran here ended well

    def ready(self) -> tuple[str, str]:
        """Make the clone; return our node's id and why there is none, "" where there is one.

        The scheduler gives work to no slot that has not answered.
        """
        import ray

        node = ray.get_runtime_context().get_node_id()
        try:
            self.place = ray_place.claim(self.study)
            self.place.fill(self.bundled, self.settings)
        except Exception as error:
            return node, str(error) or type(error).__name__
        return node, ""

    def run(self, name: str, variables: dict[str, str]) -> tuple[int, bytes, float]:
        """Return status, the end of the output, and seconds."""
        start = time.monotonic()
        assert self.place is not None  # `ready` has answered
        held = self.place.variables()
        status, output = slot.run(
            name, self.place.clone, remote=self.remote, variables={**held, **variables}
        )
        self.whole &= status == 0
        return status, output, time.monotonic() - start

    def leave(self) -> None:
        """Remove the clone, but one in which something failed: its results may be nowhere else."""
        if self.whole and self.place is not None:
            self.place.clear()
