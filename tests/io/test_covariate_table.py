import pytest

from gaussjax.io.covariate_table import read_covariates
from gaussjax.io.images import ImageFileError


def test_a_table_is_read_by_name(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("\ufeffname, epoch,airmass\na/1,2001.5, 1e0\n\nb 2,-3,2\n", encoding="utf-8")
    assert read_covariates(path) == {
        "epoch": {"a/1": 2001.5, "b 2": -3.0},
        "airmass": {"a/1": 1.0, "b 2": 2.0},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: must be the header name"),
        ("epoch,name\n1,a\n", "line 1: must be the header name"),
        ("name\na\n", "line 1: must be the header name"),
        ("name,x,\na,1,2\n", "line 1: column 3 has no name"),
        ("name,x,x\na,1,2\n", "line 1: the column 'x' stands twice"),
        ("name,x\n", "has no rows"),
        ("name,x\na,1\nb,2,3\n", "line 3: has 3 fields; the header has 2"),
        ("name,x\na,1\nb,2\na,3\n", "line 4: the pair 'a' stands in line 2 already"),
        ("name,x\na,one\n", "line 2: 'x' of the pair 'a' must be a number, got 'one'; give a cat"),
        ("name,x\na,1\nb,\n", "line 3: 'x' of the pair 'b' is empty; leave the row out"),
        ("name,x\na,nan\n", "line 2: 'x' of the pair 'a' must be finite, got 'nan'"),
    ],
)
def test_odd_tables_are_refused_with_the_line(text, message, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ImageFileError) as caught:
        read_covariates(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_files_that_are_no_tables_are_one_line(tmp_path):
    (tmp_path / "latin.csv").write_bytes(b"name,x\n\xff\xfe,1\n")
    for path in (tmp_path / "latin.csv", tmp_path / "missing.csv", tmp_path):
        with pytest.raises(ImageFileError) as caught:
            read_covariates(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
