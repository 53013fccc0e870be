"""Wrong parameters of every kind: one line that names key, value and what is allowed; no work."""

import re
import subprocess
import sys
import time
from datetime import date

import pytest
import yaml
from conftest import some
from dvc.exceptions import DvcException
from dvc.utils.hydra import compose_and_dump, load_hydra_plugins
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import tiny
from pydantic import BaseModel, ValidationError

from kdprune import models
from kdprune.config import schema
from kdprune.config.grid import PRUNING_ALIASES, expand
from kdprune.config.params import load, unknown, validate
from kdprune.config.signatures import takes
from kdprune.distillation import METHODS as DISTILLERS
from kdprune.errors import KdpruneError
from kdprune.pruning import METHODS as PRUNERS

NAN, INFINITE = float("nan"), float("inf")
PAIR = "resnet10_24/resnet10_16"

# What is set, to what, and what the message says: a regular expression. The key is in it too.
BOTH_ALONE = {"teacher": ["weight"], "student": ["weight"]}
FAULTS = [
    # wrong type
    ("teach.epochs", True, r"teach\.epochs = True: .*integer"),
    ("teach.epochs", 5.0, r"teach\.epochs = 5\.0: .*integer"),
    ("teach.epochs", "8", r"teach\.epochs = '8': .*integer; .* write 8$"),
    ("teach.epochs", None, r"teach\.epochs = None: .*integer"),
    ("teach.epochs", [8], r"teach\.epochs = \[8\]: .*integer"),
    ("teach.lr", "1e-3", r"teach\.lr = '1e-3': .*number; .* write 0\.001$"),
    ("teach.lr", True, r"teach\.lr = True: .*number"),
    ("teach.nesterov", 1, r"teach\.nesterov = 1: .*boolean"),
    ("teach.nesterov", "yes", r"teach\.nesterov = 'yes': .*boolean"),
    ("teach.milestones", 0.5, r"teach\.milestones = 0\.5: .*list"),
    ("teach", None, r"teach = None: .*dictionary"),
    ("teach", [1, 2], r"teach = \[1, 2\]: .*dictionary"),
    ("model.stem", 3, r"model\.stem = 3: .*'imagenet' or 'cifar'"),
    ("profile", 7, r"profile = 7: .*string"),
    ("profile", "my profile", r"profile = 'my profile': .*pattern"),
    ("datasets", "cifar10", r"datasets = 'cifar10': .*list"),
    ("pairs", PAIR, r"pairs = 'resnet10_24/.*': .*list"),
    ("pairs", [7], r"pairs\.0 = 7: .*string"),
    ("prune.method", 3, r"prune\.method = 3: .*string"),
    ("prune.method", ["weight", 3], r"prune\.method\.1 = 3: .*string"),
    ("prune.method", {"weight": {}}, r"prune\.method = \{'weight': \{\}\}: .*string"),
    ("prune.weight", 3, r"prune\.weight = 3: .*dictionary"),
    ("data.path", 3, r"data\.path = 3: .*string"),
    ("architectures", [], r"architectures = \[\]: .*dictionary"),
    ("architectures.resnet18", "resnet18", r"architectures\.resnet18 = .*dictionary"),
    ("data.path", "a\0b", r"data\.path = .*: has a NUL character"),
    ("folders", {"mine": {"path": "a\0b"}}, r"folders\.mine\.path = .*: has a NUL character"),
    (
        "architectures.resnet18.weights",
        {"path": "a\0b.pth", "sha256": "0" * 64},
        r"architectures\.resnet18\.weights\.path = .*: has a NUL character",
    ),
    ("architectures.resnet18.timm", "", r"architectures\.resnet18\.timm = '': .*at least 1"),
    ("architectures.resnet18.kwargs", {"a": date(2024, 1, 1)}, r".*kwargs\.a = .*must be a number"),
    ("architectures.resnet18.kwargs", {"a": [1, NAN]}, r".*kwargs\.a = \[1, nan\]: .*finite"),
    # unknown and misspelt keys
    ("teach.epoch", 3, r"teach\.epoch: is unknown; did you mean epochs\?"),
    ("model.stems", "cifar", r"model\.stems: is unknown; did you mean stem\?"),
    ("prune.finetune.epoch", 3, r"prune\.finetune\.epoch: .* did you mean epochs or epochs_of\?"),
    ("prune.level", [0.0], r"prune\.level: is unknown; did you mean levels\?"),
    ("distill.trainig", {}, r"distill\.trainig: is unknown; did you mean training\?"),
    ("distill.simkt", {"factor": 2}, r"distill\.simkt: is unknown; did you mean simkd\?"),
    ("breakpoints.tolerence", 1.0, r"breakpoints\.tolerence: .* did you mean tolerance\?"),
    ("techer", {}, r"techer: is unknown; did you mean teach\?"),
    ("surprise", 1, r"surprise: is unknown; allowed: profile, datasets"),
    ("teach.int", 1, r"teach\.int: is unknown"),
    ("teach.new\nline", 1, r"teach\.new line: is unknown"),
    (7, 1, r"7 = .*strings"),
    # out of range
    ("teach.epochs", 0, r"teach\.epochs = 0: .*greater than or equal to 1"),
    ("teach.epochs", -3, r"teach\.epochs = -3: .*greater than or equal to 1"),
    ("teach.seed", -1, r"teach\.seed = -1: .*greater than or equal to 0"),
    ("data.validation_seed", -1, r"data\.validation_seed = -1: .*greater"),
    ("breakpoints.seed", -1, r"breakpoints\.seed = -1: .*greater"),
    ("teach.lr", 0, r"teach\.lr = 0: .*greater than 0"),
    ("teach.lr", NAN, r"teach\.lr = nan: .*finite"),
    ("teach.lr", INFINITE, r"teach\.lr = inf: .*(finite|less than)"),
    ("teach.momentum", 1.0, r"teach\.momentum = 1\.0: .*less than 1"),
    ("teach.weight_decay", -1e-4, r"teach\.weight_decay = -0\.0001: .*greater"),
    ("teach.warmup", 1.0, r"teach\.warmup = 1\.0: .*less than 1"),
    ("teach.milestones", [0.5, 1.0], r"teach\.milestones\.1 = 1\.0: .*less than 1"),
    ("teach.milestones", [0.7, 0.5], r"teach\.milestones: \[0\.7, 0\.5\] must rise"),
    ("teach.schedule", "cosin", r"teach\.schedule = 'cosin': .*'cosine'"),
    ("teach.precision", "fp16", r"teach\.precision = 'fp16': .*'bf16'"),
    ("data.validation", 0, r"data\.validation = 0: .*greater than 0"),
    ("data.validation", 1.0, r"data\.validation = 1\.0: .*less than 1"),
    ("prune.levels", [0.0, 0.5, 1.0], r"prune\.levels\.2 = 1\.0: .*less than 1"),
    ("prune.levels", [0.0, -0.1], r"prune\.levels\.1 = -0\.1: .*greater"),
    ("prune.levels", [0.0, NAN], r"prune\.levels\.1 = nan: .*finite"),
    ("prune.levels", [0.0, 0.3, 0.2], r"prune\.levels: .* must start at 0 and rise"),
    ("prune.levels", [0.0, 0.2, 0.2], r"prune\.levels: .* must start at 0 and rise"),
    ("prune.levels", [0.1], r"prune\.levels: .* must start at 0 and rise"),
    ("prune.seeds", 0, r"prune\.seeds = 0: .*greater than or equal to 1"),
    ("prune.seeds", [1, 1], r"prune\.seeds = \[1, 1\]: .*integer"),
    ("prune.finetune.scope", "body", r"prune\.finetune\.scope = 'body': .*'head'"),
    ("prune.finetune.views", 0, r"prune\.finetune\.views = 0"),
    ("prune.batchnorm.images", 1, r"prune\.batchnorm\.images = 1: .*equal to 2"),
    ("breakpoints.rule", "elbow", r"breakpoints\.rule = 'elbow': .*'kneedle'"),
    ("breakpoints.confidence", 1, r"breakpoints\.confidence = 1: .*less than 1"),
    ("breakpoints.confidence", 95, r"breakpoints\.confidence = 95: .*less than 1"),
    ("breakpoints.tolerance", -1, r"breakpoints\.tolerance = -1: .*greater"),
    ("breakpoints.resamples", 1, r"breakpoints\.resamples = 1: .*100"),
    ("efficiency.w2", 0, r"efficiency\.w2 = 0: .*greater than 0"),
    ("efficiency.count", "all", r"efficiency\.count = 'all': .*'composite'"),
    ("significance.confidence", INFINITE, r"significance\.confidence = inf"),
    # absurd sizes
    ("teach.batch_size", 10**9, r"teach\.batch_size = 1000000000: .*65536"),
    ("teach.batch_size", 1, r"teach\.batch_size = 1: .*equal to 2"),
    ("prune.finetune.batch_size", 10**9, r"prune\.finetune\.batch_size = 1000000000"),
    ("prune.seeds", 10**9, r"prune\.seeds = 1000000000: .*1000"),
    ("teach.epochs", 10**30, r"teach\.epochs = 10{30}: .*10000"),
    ("teach.seed", 10**5000, r"teach\.seed = a int"),
    ("teach.lr", 10**400, r"teach\.lr = 10+…: "),
    ("teach.lr", 1e30, r"teach\.lr = 1e\+30: .*less than"),
    ("prune.levels", [0.0] * 2000, r"prune\.levels = \[0\.0, .{70,80}…: .*at most 1000"),
    ("pairs", [PAIR] * 2000, r"pairs = .*…: .*at most 1000"),
    # empty lists
    ("datasets", [], r"datasets = \[\]: .*at least 1"),
    ("pairs", [], r"pairs = \[\]: .*at least 1"),
    ("prune.levels", [], r"prune\.levels = \[\]: .*at least 1"),
    ("prune.roles", [], r"prune\.roles = \[\]: .*at least 1"),
    ("prune.method", [], r"prune\.method = \[\]: .*at least 1"),
    ("distill.method", [], r"distill\.method = \[\]: .*at least 1"),
    # things named twice
    ("pairs", [PAIR, PAIR], r"pairs: 'resnet10_24/resnet10_16' is there twice"),
    ("datasets", ["cifar10", "cifar10"], r"datasets: 'cifar10' is there twice"),
    ("prune.only.teacher", ["lamp"], r"prune\.only\.teacher: 'lamp' is not in prune\.method"),
    ("prune.only", BOTH_ALONE, r"prune\.only\.teacher: 'weight' is named 2 times"),
    ("prune.only.student", ["weight", "channel"], r"prune\.only: leaves no method for teachers"),
    ("prune.roles", ["teacher", "teacher"], r"prune\.roles: .* names one twice"),
    ("prune.method", ["weight", "both"], r"prune\.method: a method is named twice"),
    ("distill.method", ["simkd", "simkd"], r"distill\.method: a method is named twice"),
    # names that stand for nothing
    ("datasets", ["cifar11"], r"datasets\.0 = 'cifar11': .*'cifar10' or 'cifar100'"),
    ("pairs", ["resnet18"], r"pairs: 'resnet18' is not a pair; write teacher/student"),
    ("pairs", ["a/b/c"], r"pairs: 'a/b/c' is not a pair"),
    ("pairs", ["/resnet18"], r"pairs: '/resnet18' is not a pair"),
    ("pairs", ["resnet18/resnet18"], r"pairs: 'resnet18/resnet18' begins .* a seed of its own"),
    ("pairs", ["resnet34/resnt18"], r"pairs: 'resnt18' .* did you mean resnet18"),
    ("pairs", ["resnet34/ResNet18"], r"pairs: 'ResNet18' .* did you mean resnet18"),
    ("pairs", ["resnet34/res\nnet18"], r"pairs: 'res\\nnet18' .* did you mean resnet18"),
    ("distill.method", "simkt", r"distill\.method: 'simkt' is unknown; did you mean simkd\?"),
    ("distill.method", "both", r"distill\.method: 'both' is unknown"),
    ("distill.method", "training", r"distill\.method: 'training' is unknown"),
    ("distill.method", "../simkd", r"distill\.method = '\.\./simkd': .*pattern"),
    (
        "prune.method",
        "chanel",
        r"prune\.method: 'chanel' is unknown; did you mean channel or ran",
    ),
    ("prune.roles", ["students"], r"prune\.roles\.0 = 'students': .*'teacher' or 'student'"),
    ("architectures.res-net", {"timm": "resnet18"}, r"architectures\.res-net.*: .*pattern"),
    # what does not go together
    ("teach.momentum", 0.0, r"teach\.nesterov: true needs momentum above 0"),
    ("prune.finetune.momentum", 0.0, r"prune\.finetune\.nesterov: true needs momentum"),
    ("data.source", "local", r"data\.path: source local needs the folder"),
    ("data.source", "web", r"data\.source = 'web': .*'embedded'"),
    ("datasets", ["cifar100"], r"datasets: data\.source embedded holds CIFAR-10 only"),
    # hyperparameters of methods
    ("distill.simkd.factor", 0, r"distill\.simkd\.factor = 0: .*0\.1"),
    ("distill.simkd.factor", NAN, r"distill\.simkd\.factor = nan: .*finite"),
    ("distill.simkd.factor", "2", r"distill\.simkd\.factor = '2': .*number"),
    ("distill.simkd.factor", True, r"distill\.simkd\.factor = True: .*number"),
    ("distill.simkd.factr", 2, r"distill\.simkd\.factr: is unknown; did you mean factor or"),
    ("distill.simkd.negatives", 4, r"distill\.simkd\.negatives: is unknown; "),
    ("distill.none.factor", 2, r"distill\.none\.factor: is unknown; no key"),
    ("prune.weight.floor", 2, r"prune\.weight\.floor = 2: .*less than 1"),
    (
        "prune.weight.scope",
        "foo",
        r"prune\.weight\.scope = 'foo': .*'lamp' or 'erk'",
    ),
    ("prune.weight.mode", "mask", r"prune\.weight\.mode: is unknown; .*floor"),
    ("prune.channel.mode", "foo", r"prune\.channel\.mode = 'foo': .*'remove' or 'mask'"),
    # the grid, edited by hand
    ("grid", {}, r"grid: teachers\.cifar10-resnet10_24 is missing; .*make params"),
    ("grid.sweeps", {}, r"grid: sweeps\.cifar10-resnet10_24-weight is missing"),
    ("grid.sweeps.extra", {}, r"grid: sweeps\.extra does not belong"),
    ("grid.others", {}, r"grid: allowed are teachers, students, sweeps"),
    ("grid.teachers.cifar10-resnet10_24", 3, r"grid\.teachers\.cifar10-resnet10_24 = 3"),
    (
        "grid.teachers.cifar10-resnet10_24",
        {"dataset": "cifar10", "teacher": "resnet18"},
        r"grid: teachers\.cifar10-resnet10_24 is not what it must be",
    ),
    ("pairs", [PAIR], r"grid: teachers\.cifar10-densenet21_16 does not belong"),
    ("prune.method", "weight", r"grid: sweeps\..*channel does not belong"),
]


def set_at(values: dict, path, value) -> None:
    *parents, last = path.split(".") if isinstance(path, str) else [path]
    for key in parents:
        values = values[key]
    values[last] = value


def test_there_are_many():
    assert len(FAULTS) >= 60


@pytest.mark.parametrize(
    ("path", "value", "said"), FAULTS, ids=[f"{n}-{row[0]!r}" for n, row in enumerate(FAULTS)]
)
def test_a_fault_is_one_line(values, path, value, said):
    set_at(values, path, value)
    with pytest.raises(KdpruneError) as caught:
        validate(values)
    message = str(caught.value)
    assert re.match(f"params: {said}", message), message
    assert len(message.splitlines()) == 1
    assert len(message) < 500


def test_a_renamed_key_is_told_by_its_wrong_name(values):
    values["teach"]["epoch"] = values["teach"].pop("epochs")
    with pytest.raises(KdpruneError, match=r"teach\.epoch: is unknown; did you mean epochs"):
        validate(values)


@pytest.mark.parametrize("key", ["teach", "grid", "profile", "significance"])
def test_a_missing_section_is_named(values, key):
    del values[key]
    with pytest.raises(KdpruneError, match=f"^params: {key}: is missing; run `make params`"):
        validate(values)


def test_no_key_of_the_parameters_has_a_default_that_decides():
    """The schema is no dep of any stage: the default of a key would change results unseen."""
    sections = [
        item
        for item in vars(schema).values()
        if isinstance(item, type) and issubclass(item, BaseModel) and item is not BaseModel
    ]
    fields = [(section, *field) for section in sections for field in section.model_fields.items()]
    assert len(fields) > 50
    for section, name, field in fields:
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        assert default is None, f"{section.__name__}.{name}"


FILES = {
    "no YAML": (b"teach: [1,", r"is no YAML: .*line 2"),
    "a tab": (b"teach:\n\tlr: 1", r"is no YAML"),
    "empty": (b"", r"holds None, must be a mapping"),
    "a list": (b"- teach", r"holds \['teach'\], must be a mapping"),
    "a word": (b"teach", r"holds 'teach', must be a mapping"),
    "two documents": (b"a: 1\n---\nb: 2", r"is no YAML: .*single document"),
    "a key twice": (b"teach: 1\nmodel: 2\nteach: 3", r"'teach' is there twice \(line 3\)"),
    "a deep key twice": (b"a: {b: {lr: 1, lr: 1}}", r"'lr' is there twice \(line 1\)"),
    "binary": (bytes(range(256)), r"is no YAML"),
    "latin": ("profile: é".encode("latin1"), r"is no YAML"),
    "an object": (b"a: !!python/object:os.system x", r"is no YAML: .*constructor"),
    "an impossible date": (b"profile: 2024-13-45", r"profile = 2024-13-45 \(line 1\): YAML"),
    "endless digits": (b"teach: " + b"9" * 5000, r"is no YAML: .*digits"),
    "deep": (b"[" * 5000, r"is no YAML"),
    "an alias of itself": (b"a: &a\n  b: *a", r"a: is unknown"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_holds_no_parameters(tmp_path, name):
    content, said = FILES[name]
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    with pytest.raises(KdpruneError) as caught:
        load(file)
    message = str(caught.value)
    assert re.match(f"{re.escape(str(file))}: {said}", message), message
    assert len(message.splitlines()) == 1


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(KdpruneError, match=r"cannot be read \(No such file.*make params"):
        load(tmp_path / "params.yaml")
    with pytest.raises(KdpruneError, match=r"cannot be read \(Is a directory\)"):
        load(tmp_path)


def test_a_network_that_nests_in_itself(values):
    kwargs: dict = {}
    kwargs["again"] = [kwargs]
    values["architectures"]["resnet18"]["kwargs"] = kwargs
    with pytest.raises(KdpruneError, match="nests too deep"):
        validate(values)


def test_an_instance_that_is_not_there(values):
    teachers = validate(values).grid["teachers"]
    with pytest.raises(KdpruneError, match=r"grid\.teachers: 'cifar10-resnet10' is not there; did"):
        teachers["cifar10-resnet10"]


def test_timm_is_asked_for_the_nearest_name():
    with pytest.raises(KdpruneError, match=r"timm has no network 'resnett18'; did you mean resnet"):
        models.build("resnett18", classes=10)


HYPERPARAMETERS = some(
    (section, method, name)
    for section, registry in (("distill", DISTILLERS), ("prune", PRUNERS))
    for method in registry
    for name in takes(section, method).model_fields
)


@pytest.mark.parametrize(("section", "method", "name"), HYPERPARAMETERS)
def test_a_method_checks_what_its_signature_states(section, method, name):
    """Called without the parameters' validation, each refuses what that would refuse."""
    networks = (tiny(), tiny()) if section == "distill" else (tiny(), [0.5])
    registry = DISTILLERS if section == "distill" else PRUNERS
    with pytest.raises(KdpruneError, match=rf"^{section}\.{method}\.{name} = 'many': must be"):
        registry[method](*networks, **{name: "many"})


def test_every_method_was_asked():
    asked = {method for _, method, _ in HYPERPARAMETERS}
    assert asked == {*DISTILLERS, *PRUNERS} - {"none", "lamp"}  # these take nothing


@pytest.mark.parametrize(("variance", "fits"), [(1e-5, False), (1.1e-5, True), (101, False)])
def test_a_range_may_be_stated_by_a_constant_of_the_file(variance, fits):
    """VID's range begins at the least variance, which its loss adds."""
    try:
        takes("distill", "vid").model_validate({"variance": variance})
        DISTILLERS["vid"](tiny(), tiny(), variance=variance)
    except (ValidationError, KdpruneError):
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize(
    ("method", "given"),
    [("weight", {"floor": 2}), ("weight", {"scope": "foo"}), ("channel", {"mode": 1})],
)
def test_a_pruning_method_guards_itself(method, given):
    with pytest.raises(KdpruneError, match=rf"prune\.{method}\.{next(iter(given))} = .*: must be "):
        next(PRUNERS[method](tiny(), [0.5], **given))


def test_simkd_guards_itself():
    with pytest.raises(
        KdpruneError, match=r"distill\.simkd\.factor = 0: must be greater than or equal to 0\.1"
    ):
        DISTILLERS["simkd"](tiny(), tiny(), factor=0)


def test_what_a_method_takes_is_what_its_yaml_sets(root):
    """Read from its source, without an import: the same keys, and defaults that are valid."""
    for section, registered in (("distill", DISTILLERS), ("prune", PRUNERS)):
        for method in some(registered):
            given = yaml.safe_load((root / "conf" / section / f"{method}.yaml").read_text())
            assert set(given) <= set(takes(section, method).model_fields), method
            plain = {key: value for key, value in given.items() if "${" not in str(value)}
            takes(section, method).model_validate(plain)
            assert takes(section, method).model_config["extra"] == "forbid", method


# The real process and the real composition

STAGES = {
    "epochs": (lambda values: set_at(values, "teach.epochs", 0), r"teach\.epochs = 0: "),
    "key": (lambda values: set_at(values, "teach.epoch", 3), r"teach\.epoch: is unknown"),
    "pair": (lambda values: set_at(values, "pairs", ["a/b"]), r"pairs: 'a' \(in a/b\)"),
    "factor": (lambda values: set_at(values, "distill.simkd.factor", 0), r"distill\.simkd\.factor"),
    "grid": (lambda values: set_at(values, "grid", {}), r"grid: .*make params"),
    "levels": (lambda values: set_at(values, "prune.levels", [0.0, 1.0]), r"prune\.levels\.1"),
}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_refuses_at_once(root, tmp_path, values, name):
    change, said = STAGES[name]
    change(values)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    command = [sys.executable, "-m", "stages", "teach", "X"]
    environment = {"PYTHONPATH": str(root), "PATH": ""}
    started = time.perf_counter()
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    print(f"{name}: refused after {seconds:.2f} s")
    assert result.returncode == 2
    assert re.fullmatch(f"kdprune: params.yaml: {said}.*\n", result.stderr), result.stderr
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
    assert seconds < 10


def test_a_stage_refuses_before_it_imports_torch(root, tmp_path, values):
    values["teach"]["epochs"] = 0
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    code = "import sys; from stages.runner.run import run; "
    code += "print(run(['teach', 'X']), 'torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(root), "PATH": ""}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.stdout == "2 False\n"


OVERRIDES = {
    "teach.epochs=0": r"conf: teach\.epochs = 0: .*equal to 1",
    "profile=papr": r"conf: profile = 'papr': is unknown; did you mean paper\?",
    "teach.epoch=3": r"conf: teach\.epoch: is unknown; did you mean epochs\?",
    "+teach.epoch=3": r"conf: teach\.epoch: is unknown; did you mean epochs",
    "teach.epochs=[": r"conf: teach\.epochs=\[: no viable alternative",
    "pairs=[a/b]": r"conf: pairs: 'a' \(in a/b\) is not among",
    "datasets=cifar10": r"conf: datasets = 'cifar10': .*list",
    "distill=foo": r"conf: distill = 'foo': is unknown; allowed: all, at, .*, vid",
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_composition_is_refused_whole(root, tmp_path, override):
    output = tmp_path / "params.yaml"
    output.write_text("as before")
    command = [sys.executable, root / "conf" / "compose.py", override, "-o", output]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert re.fullmatch(f"kdprune: {OVERRIDES[override]}.*\n", result.stderr), result.stderr
    assert output.read_text() == "as before"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("teech.epochs", "teech: is unknown; did you mean teach?"),
        ("distill.methd", "distill.methd: is unknown; did you mean method?"),
        ("distill.simkd.factr", "distill.simkd.factr: is unknown; did you mean factor"),
        ("distill.training.epoch", "distill.training.epoch: is unknown; did you mean epochs?"),
        ("folders.mine.path", "folders.mine.path: is not in conf/ yet; write +folders.mine.path=…"),
    ],
)
def test_a_key_that_hydra_does_not_know_is_told_with_the_nearest(key, said):
    assert unknown(key).startswith(said)


def test_dvc_tells_a_misspelt_key_as_a_users_fault(root, tmp_path):
    """As one of its own, for which it prints the line alone, and no call for help."""
    load_hydra_plugins(str(root / "conf"))
    conf = str(root / "conf")
    with pytest.raises(DvcException, match=r"^conf: teach\.epoch: is unknown; did you mean epochs"):
        compose_and_dump(
            str(tmp_path / "params.yaml"), conf, None, "config", conf, ["teach.epoch=3"]
        )


# Whatever validates gives a grid that hangs together

NAMES = ["resnet18", "resnet34", "resnet10_24", "densenet21_12", "efficientnet_b0", "mobilenetv1"]
PAIRS = [f"{one}/{two}" for one in NAMES for two in NAMES if one != two]


def any_of(values, **limits) -> st.SearchStrategy[list]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True, **limits)


@st.composite
def studies(draw) -> dict:
    several = draw(st.booleans())
    distillers, pruners = draw(any_of(["simkd", "none"])), draw(any_of(["weight", "channel"]))
    return {
        "datasets": draw(any_of(["cifar10", "cifar100"])),
        "pairs": draw(any_of(PAIRS, max_size=8)),
        "distill": distillers if several else distillers[0],
        "prune": draw(st.sampled_from([pruners, pruners[0], "both", ["both"]])),
        "roles": draw(any_of(["teacher", "student"])),
        "levels": [0.0, *sorted(draw(st.sets(st.floats(0.001, 0.99), max_size=9)))],
    }


FIXTURES = [HealthCheck.function_scoped_fixture]  # `values` is read, never changed


@settings(max_examples=60, deadline=None, suppress_health_check=FIXTURES)
@given(study=studies())
def test_every_valid_study_has_a_consistent_grid(values, study):
    levels = study.pop("levels")
    values = {**values, "datasets": study["datasets"], "pairs": study["pairs"]}
    values["data"] = {**values["data"], "source": "auto"}
    values["distill"] = {**values["distill"], "method": study["distill"]}
    values["prune"] = {
        **values["prune"], "method": study["prune"], "roles": study["roles"], "levels": levels
    }  # fmt: skip
    params = validate({**values, "grid": expand(**study)})
    teachers, students, sweeps = (params.grid[key] for key in ("teachers", "students", "sweeps"))

    datasets, distillers = len(study["datasets"]), _count(study["distill"])
    teaching = {pair.split("/")[0] for pair in study["pairs"]}
    assert len(teachers) == datasets * len(teaching)
    assert len(students) == datasets * len(study["pairs"]) * distillers
    swept = {"teacher": len(teachers), "student": len(students)}
    assert len(sweeps) == sum(swept[role] for role in study["roles"]) * _count(study["prune"])

    for item in students.values():
        assert teachers[f"{item['dataset']}-{item['teacher']}"]["teacher"] == item["teacher"]
    made = {f"models/teachers/{key}.safetensors" for key in teachers}
    made |= {f"models/students/{key}.safetensors" for key in students}
    assert {item["checkpoint"] for item in sweeps.values()} <= made
    for key, item in sweeps.items():
        trained = params.grid[f"{item['role']}s"][key.removesuffix(f"-{item['method']}")]
        assert trained.items() <= item.items()
    keys = [*teachers, *students, *sweeps]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", key)  # for DVC, and for every file system
        assert len(f".{key}.safetensors.12345678.part") <= 255


def _count(method) -> int:
    given = [method] if isinstance(method, str) else method
    return sum(len(PRUNING_ALIASES.get(name, [name])) for name in given)
