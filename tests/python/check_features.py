"""Checks a features.pkl written by tests/pickle_python.rs. Run with -W error, so that a warning fails it.

    check_features.py whole FILE COUNT LEN     the pickle equals the dict that Python makes and pickles itself
    check_features.py cut FILE COUNT LEN HEAD RECORD
                                               so does every prefix of whole records, closed with a STOP
"""
import pickle
import pickletools
import sys

import numpy as np


def expected_dict(count, length):
    """COUNT arrays of shape (1, LEN) that count upwards in quarters, the numbers float32 cannot round."""
    values = np.arange(count * length, dtype=np.float32).reshape(count, 1, length) / np.float32(4)
    features = {"image%04d" % i: values[i].copy() for i in range(count)}
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], dtype=np.float32)
    features["image0000"][0, :5] = special
    return features


def check_equal(found, expected):
    """Equal in keys, their order, and all that can be seen of an array: what Python's own pickle gives is the measure."""
    expected = pickle.loads(pickle.dumps(expected, 4))
    assert type(found) is dict, type(found)
    assert list(found) == list(expected), "other keys, or another order"
    for key, array in expected.items():
        other = found[key]
        assert type(other) is np.ndarray, type(other)
        assert other.dtype == array.dtype and other.dtype.isnative, other.dtype
        assert other.shape == array.shape, other.shape
        assert str(other.flags) == str(array.flags), other.flags
        assert other.flags.writeable and other.flags.c_contiguous, other.flags
        assert other.tobytes() == array.tobytes(), key


def check_whole(path, count, length):
    with open(path, "rb") as file:
        found = pickle.load(file)
        assert file.read() == b"", "bytes after the pickle"
    check_equal(found, expected_dict(count, length))
    # The disassembler checks what the unpickler lets pass: stack depth at STOP, and every use of the memo.
    with open(path, "rb") as file:
        protocols = {opcode.proto for opcode, _, _ in pickletools.genops(file)}
        assert max(protocols) == 4, protocols
    with open(path, "rb") as file:
        pickletools.dis(file, out=Discard())


def check_cuts(path, count, length, head, record):
    with open(path, "rb") as file:
        data = file.read()
    assert len(data) == head + count * record + 1
    expected = list(expected_dict(count, length).items())
    for images in range(count + 1):
        found = pickle.loads(data[: head + images * record] + b".")
        check_equal(found, dict(expected[:images]))


class Discard:
    def write(self, text):
        pass


if __name__ == "__main__":
    check = {"whole": check_whole, "cut": check_cuts}[sys.argv[1]]
    check(sys.argv[2], *map(int, sys.argv[3:]))
    print("Python", sys.version.split()[0], "NumPy", np.__version__)
