"""The stages: their names, and what the runner must know of each before it imports torch."""

# they run in a warm process
TORCH_STAGES = ("teach", "distill", "sparsify", "prune", "compress", "attribute", "measure")
ANALYSES = (
    *("collect", "breakpoints", "efficiency", "variance", "significance", "summary", "report"),
)
STAGES = ("download", *TORCH_STAGES, *ANALYSES)
PER_INSTANCE = ("download", *TORCH_STAGES, "variance", "summary")
TRAININGS = ("teach", "distill")  # they draw a curve, and their records tell of epochs
GRID = {
    "download": "datasets",
    "teach": "teachers",
    "distill": "students",
    "sparsify": "trajectories",
    "prune": "sweeps",
    "compress": "compressions",
    "attribute": "attributions",
}
