"""Deep Compression: shared values, gaps, Huffman codes, tensors as bytes, and files of them.

The numeric cases are shared/reference_compress.json's, which lies beside the repository.
"""

import zlib

import numpy as np
import pytest
from compressed_files import COUNTERS, attacks, network, rebuilt, split
from test_reference_compress import cases

from kdprune.compression import files, gaps, huffman, tensors
from kdprune.compression.sharing import shared_values, squared_error, value_gradient
from kdprune.errors import KdpruneError

BITS = (2, 3, 4, 5)


def wave() -> np.ndarray:
    """v[i] = sin(1.7i + 0.3) exp(-0.004i) + 0.3 sin(0.05i): the weights of the cases."""
    i = np.arange(400)
    return np.sin(1.7 * i + 0.3) * np.exp(-0.004 * i) + 0.3 * np.sin(0.05 * i)


def surviving() -> np.ndarray:
    return wave()[np.abs(wave()) >= 0.35]


def pruned(share: float, shape=(24, 10, 3, 3), seed: int = 0) -> np.ndarray:
    """A weight, float32, with about `share` of it zero."""
    generator = np.random.default_rng(seed)
    weight = generator.normal(size=shape).astype(np.float32)
    return np.where(generator.random(shape) < share, np.float32(0), weight)


# Shared values


@pytest.mark.parametrize("bits", BITS)
def test_shared_values_are_those_of_the_case(bits):
    expected = cases()["weight_sharing_kmeans"]["expected"][str(bits)]
    values, codes = shared_values(surviving(), 2**bits)
    assert len(surviving()) == cases()["weight_sharing_kmeans"]["expected"]["surviving"]
    assert len(values) == 2**bits - expected["empty_clusters"]
    assert values.tolist() == pytest.approx(expected["centroids"], rel=1e-4)
    assert np.bincount(codes).tolist() == expected["counts"]
    assert squared_error(surviving(), values, codes) == pytest.approx(expected["sse"])
    assert expected["sse_sklearn"] <= squared_error(surviving(), values, codes) * 1.001


def test_the_two_bit_case_stands_here_too():
    values, codes = shared_values(surviving(), 4)
    assert values.tolist() == pytest.approx(
        [-0.7650755, -0.4855277, 0.5054760, 0.9201015], rel=1e-5
    )
    assert np.bincount(codes).tolist() == [28, 59, 66, 24]


def test_every_weight_has_the_nearest_value_and_every_value_is_its_weights_mean():
    weights = surviving()
    values, codes = shared_values(weights, 16)
    assert np.array_equal(codes, np.abs(weights[:, None] - values).argmin(1))
    means = [weights[codes == one].mean() for one in range(len(values))]
    assert values.tolist() == pytest.approx(means, rel=1e-12)


def test_no_lloyd_step_makes_it_worse(monkeypatch):
    errors = []
    for steps in range(1, 12):
        monkeypatch.setattr("kdprune.compression.sharing.STEPS", steps)
        errors.append(squared_error(surviving(), *shared_values(surviving(), 8)))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > errors[-1]


def test_more_values_lose_less_and_as_many_as_weights_lose_nothing():
    errors = [squared_error(surviving(), *shared_values(surviving(), n)) for n in (1, 4, 32, 177)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0
    assert shared_values(surviving(), 1)[0].tolist() == [pytest.approx(surviving().mean())]
    assert [len(part) for part in shared_values(np.zeros(0), 4)] == [0, 0]
    assert shared_values(np.full(5, 0.25), 4)[0].tolist() == [0.25]


def test_a_values_gradient_is_the_sum_over_its_weights():
    codes = shared_values(surviving(), 8)[1]
    ours = value_gradient(np.cos(0.9 * np.arange(177)), codes, 7)
    assert ours.tolist() == pytest.approx(cases()["centroid_gradient"]["expected"], rel=1e-6)
    assert ours.tolist()[:2] == pytest.approx([0.8188168296, -2.175377316], rel=1e-6)


# Huffman codes


def test_code_lengths_are_optimal_by_the_cases():
    for bits in BITS:
        expected = cases()["huffman_bits"]["expected"][str(bits)]
        codes = shared_values(surviving(), 2**bits)[1]
        assert int(huffman.code_lengths(np.bincount(codes))[codes].sum()) == expected["total_bits"]


@pytest.mark.parametrize("seed", range(5))
def test_a_code_is_complete_and_within_a_bit_of_the_entropy(seed):
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, 2 ** generator.integers(1, 20), generator.integers(2, 256))
    counts[:2] += 1
    lengths = huffman.code_lengths(counts).astype(float)
    used, shares = counts > 0, counts[counts > 0] / counts.sum()
    assert (lengths > 0).tolist() == used.tolist()
    assert (2.0 ** -lengths[used]).sum() == 1  # Kraft: no code is wasted
    entropy = -(shares * np.log2(shares)).sum()
    assert entropy <= shares @ lengths[used] + 1e-9 < entropy + 1
    rising = lengths[used][np.argsort(counts[used], kind="stable")]
    assert (np.diff(rising) <= 0).all()  # what is rarer has no shorter code


def test_lengths_of_powers_of_two_are_their_logarithms():
    assert huffman.code_lengths(np.array([8, 4, 2, 1, 1])).tolist() == [1, 2, 3, 4, 4]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 5000, 200_000])
def test_symbols_come_back(count):
    symbols = np.random.default_rng(count).geometric(0.2, count).clip(max=99) - 1
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=1))
    data = huffman.encode(symbols, lengths)
    assert len(data) == -(-int(lengths[symbols].sum()) // 8)
    assert np.array_equal(huffman.decode(data, lengths, count), symbols)


def test_the_longest_codes_come_back():
    """Fibonacci's numbers give the deepest tree; 40 of them are more symbols than a layer has."""
    counts = [1, 1]
    while len(counts) < 40:
        counts.append(sum(counts[-2:]))
    lengths = huffman.code_lengths(np.array(counts))
    assert lengths.max() == 39
    symbols = np.random.default_rng(0).permutation(np.arange(40).repeat(30))
    assert np.array_equal(huffman.decode(huffman.encode(symbols, lengths), lengths, 1200), symbols)


def test_canonical_codes_are_those_of_the_textbook():
    """Lengths 2, 1, 3, 3 give 10, 0, 110, 111 (RFC 1951, section 3.2.2)."""
    assert huffman.encode(np.array([0, 1, 2, 3]), np.array([2, 1, 3, 3])) == bytes(
        [0b10011011, 0x80]
    )


@pytest.mark.parametrize("lengths", [[1, 1, 1], [2, 2, 2], [2], [58, 1], [0, 3]])
def test_lengths_of_no_code_are_refused(lengths):
    with pytest.raises(ValueError, match="of no Huffman code"):
        huffman.decode(b"\0\0", np.array(lengths, np.uint8), 2)


def test_codes_must_take_all_bytes_and_no_more():
    lengths = huffman.code_lengths(np.array([3, 2, 1]))
    data = huffman.encode(np.array([0, 0, 0, 1, 1, 2]), lengths)
    for wrong in (data[:-1], data + b"\0"):
        with pytest.raises(ValueError, match=r"do not end|too early"):
            huffman.decode(wrong, lengths, 6)


# Gaps


@pytest.mark.parametrize("pattern", ["dense pattern (|v| >= 0.35)", "sparse pattern (|v| >= 1.1)"])
@pytest.mark.parametrize("bits", [4, 8])
def test_gaps_are_those_of_the_case(pattern, bits):
    expected = cases()["relative_index"]["expected"][f"{pattern}, {bits} bits"]
    places = np.flatnonzero(np.abs(wave()) >= float(pattern[-5:-1].strip("= )")))
    steps, real = gaps.encode(places, bits)
    assert [len(places), len(steps)] == [expected["weights"], expected["entries"]]
    assert len(steps) - len(real) == expected["fillers"]
    assert steps[:8].tolist() == expected["first8"]
    lengths = huffman.code_lengths(np.bincount(steps))
    assert int(lengths[steps].sum()) == expected["index_huffman_bits"]


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("places", [[], [0], [15], [16], [17], [255, 256], [0, 1, 600, 5000]])
def test_places_come_back_across_any_gap(bits, places):
    steps, real = gaps.encode(np.array(places, np.int64), bits)
    assert gaps.decode(steps)[real].tolist() == places
    assert steps.max(initial=0) < 2**bits
    fillers = np.delete(steps, real)
    assert (fillers == 2**bits - 1).all()


# Tensors


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.9, 0.999, 1])
@pytest.mark.parametrize("bits", [8, 5, 4, 2])
def test_shared_values_come_back_with_every_zero(share, bits):
    weight = pruned(share)
    entry, data = tensors.shared(weight, bits)
    made = tensors.restored(entry, data)
    assert (made.dtype, made.shape) == (np.float32, weight.shape)
    assert np.array_equal(made == 0, weight == 0)  # no zero is clustered, no weight becomes zero
    if entry.form != "shared":  # so few weights that a table of values would take more
        assert np.array_equal(made, weight)
        assert (weight != 0).sum() < 2**bits
        return
    assert len(np.unique(made[made != 0])) <= 2**bits - (share > 0)
    values, codes = shared_values(weight[weight != 0], 2**bits - bool((weight == 0).any()))
    assert made[made != 0].tolist() == values.astype(np.float32)[codes].tolist()
    assert entry.bytes == len(data)


def test_zeros_are_left_out_or_coded_as_takes_fewer_bytes():
    few, many = tensors.shared(pruned(0.02), 5), tensors.shared(pruned(0.9), 5)
    assert few.entry.gaps is None
    assert many.entry.gaps is not None
    assert len(many.data) < len(few.data) / 3


def test_a_layer_that_is_smaller_than_its_table_is_kept_whole():
    weight = pruned(0, (4, 3, 3, 3))
    entry, data = tensors.shared(weight, 8)
    assert len(data) == weight.nbytes
    assert np.array_equal(tensors.restored(entry, data), weight)


def test_huffman_codes_take_fewer_bytes_than_the_formula():
    weight = pruned(0.7, (64, 64, 3, 3))
    entry, data = tensors.shared(weight, 5)
    kept = int((weight != 0).sum())
    assert entry.entries == kept  # no gap is above 256 here
    assert tensors.fixed_bytes(entry, 5) == 4 * 32 + -(-kept * 5 // 8) + kept
    assert len(data) < tensors.fixed_bytes(entry, 5) < tensors.sparse(weight).entry.bytes


@pytest.mark.parametrize("share", [0, 0.02, 0.9, 0.999, 1])
def test_sparse_loses_nothing(share):
    weight = pruned(share)
    entry, data = tensors.sparse(weight)
    assert np.array_equal(tensors.restored(entry, data), weight)
    assert len(data) == entry.bytes <= weight.nbytes + 16


def test_steps_of_eight_bits_are_half_a_step_off_at_most():
    weight = pruned(0.3)
    weight[3] = 0  # a row of zeros has no scale
    entry, data = tensors.int8(weight)
    made, rows = tensors.restored(entry, data), np.abs(weight).reshape(24, -1).max(1)
    off = np.abs(made - weight).reshape(24, -1).max(1)
    assert (off <= rows / 127 / 2 * (1 + 1e-5)).all()
    assert np.array_equal(np.abs(made).reshape(24, -1).max(1), (rows / 127).astype("f4") * 127)
    assert len(data) == entry.bytes == 24 * 4 + weight.size


# Files


def test_a_file_gives_back_what_was_written_bit_for_bit(tmp_path):
    coded = network()
    files.write(tmp_path / "a.kdz", coded, {"network": {"classes": 3}})
    read, metadata = files.read(tmp_path / "a.kdz")
    assert metadata == {"network": {"classes": 3}}
    assert read.keys() == coded.keys()
    for name, (entry, data) in coded.items():
        assert read[name].tobytes() == tensors.restored(entry, data).tobytes()
    assert read[COUNTERS].dtype == np.int64
    files.write(tmp_path / "b.kdz", dict(reversed(coded.items())), metadata)
    assert (tmp_path / "b.kdz").read_bytes() == (tmp_path / "a.kdz").read_bytes()


def test_a_files_size_is_that_of_its_parts(tmp_path):
    coded = network()
    files.write(tmp_path / "a.kdz", coded, {})
    header, payload = split((tmp_path / "a.kdz").read_bytes())
    assert len(payload) == sum(len(one.data) for one in coded.values())
    assert set(header["tensors"]) == set(coded)


@pytest.mark.parametrize(("name", "content", "told"), attacks(), ids=lambda item: str(item)[:30])
def test_a_hostile_file_is_told_in_one_line(tmp_path, name, content, told):
    (tmp_path / "a.kdz").write_bytes(content)
    with pytest.raises(KdpruneError, match=told) as caught:
        files.read(tmp_path / "a.kdz")
    assert "\n" not in str(caught.value)
    assert "a.kdz" in str(caught.value)


def test_nothing_is_allocated_of_what_a_file_claims(tmp_path, monkeypatch):
    header, payload = split(rebuilt())
    header["tensors"]["body.weight"]["shape"] = [1 << 20, 1 << 20]
    (tmp_path / "a.kdz").write_bytes(rebuilt(header, payload))
    monkeypatch.setattr(files, "restored", lambda *_: pytest.fail("was restored"))
    with pytest.raises(KdpruneError, match="far more than it can"):
        files.read(tmp_path / "a.kdz")


def test_a_header_that_unfolds_without_end_is_cut(tmp_path):
    bomb = zlib.compress(b" " * (files.HEADER + 1), 9)
    content = files.MAGIC + len(bomb).to_bytes(4, "little") + bomb
    (tmp_path / "a.kdz").write_bytes(content)
    with pytest.raises(KdpruneError, match="its header is damaged"):
        files.read(tmp_path / "a.kdz")
