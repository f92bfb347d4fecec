"""PartTable: what a parts.csv may hold, and the message for what it may not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_explainer.datasets import PartTable
from keras_explainer.errors import DataError

TABLE = """file,wnid,name,split,head_y,head_x,head_h,head_w,legs_x,legs_y,note
a.jpg,n01,dog,train,1.5,2,3,4,,,x
sub/b.jpg,n01,dog,test,,,,,7,8.25,"one, two"
./c.jpg,n02,giant panda,test,0,-0,NaN,nan,1e1,2,
"""
FILES = ("a.jpg", "sub/b.jpg", "c.jpg")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for file in FILES:
        Image.new("RGB", (12, 10)).save(tmp_path / file)
    return tmp_path


def read(folder, text, **options):
    path = folder / "parts.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return PartTable.read(path, **options)


def refused(folder, text, match, **options):
    with pytest.raises(DataError, match=match) as info:
        read(folder, text, **options)
    assert type(info.value) is DataError and "parts.csv" in str(info.value)


def test_reading(folder):
    nan = np.nan
    table = read(folder, TABLE)
    assert len(table) == 3
    assert table.files == FILES
    assert table.parts == ("head", "legs")
    np.testing.assert_array_equal(
        table.centres,
        [[[1.5, 2], [nan, nan]], [[nan, nan], [8.25, 7]], [[0, 0], [2, 10]]],
    )
    np.testing.assert_array_equal(
        table.sizes, [[[3, 4], [nan, nan]], [[nan] * 2] * 2, [[nan] * 2] * 2]
    )
    assert table.names == ("dog", "dog", "giant panda")
    assert table.wnids == ("n01", "n01", "n02")
    assert table.splits == ("train", "test", "test")
    assert table.lines == (2, 3, 4)
    assert table.annotated.tolist() == [True, True, True]
    assert table.centres.dtype == np.float64 and not table.centres.flags.writeable


def test_only_files(folder):
    table = read(folder, "file\nc.jpg\n\na.jpg\n")
    assert table.files == ("c.jpg", "a.jpg") and table.lines == (2, 4)
    assert table.parts == () and table.centres.shape == (2, 0, 2)
    assert table.names is table.wnids is table.splits is None
    assert not table.annotated.any()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace(",", " , ", 1).replace("a.jpg,", "a.jpg ,"),
        lambda text: text + "\n\n",
    ],
    ids=["bom", "crlf", "cr", "spaces", "blank lines"],
)
def test_harmless_differences(folder, change):
    with_change, plain = read(folder, change(TABLE)), read(folder, TABLE)
    assert with_change.files == plain.files and with_change.parts == plain.parts
    np.testing.assert_array_equal(with_change.centres, plain.centres)


def test_a_bom_does_not_hide_the_file_column_and_quotes_may_hold_lines(folder):
    table = read(folder, '\ufefffile,name\na.jpg,"two\nlines"\nc.jpg,x\n')
    assert table.names == ("two\nlines", "x") and table.lines == (2, 4)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("file,head_y,head_x\n", "no rows"),
        ("image,head_y,head_x\na.jpg,1,2\n", "no column 'file'.*image, head_y"),
        ("files,x\na.jpg,1\n", "no column 'file'.*Nearest valid: files"),
        ("file;head_y;head_x\na.jpg;1;2\n", "semicolons"),
        ("file;head_y;head_x\na.jpg;1,5;2,5\n", "semicolons"),
        ("file\thead_y\thead_x\na.jpg\t1\t2\n", "tabs"),
        ("file,head_y\na.jpg,1\n", "'head_y' but no 'head_x'"),
        ("file,head_x\na.jpg,1\n", "'head_x' but no 'head_y'"),
        ("file,head_y,head_x,head_h\na.jpg,1,1,1\n", "only one of 'head_h' and"),
        ("file,_y,_x\na.jpg,1,1\n", "names no part"),
        ("file,name,name\na.jpg,x,y\n", "'name' is there twice"),
        ("file,head_y,head_x\na.jpg,1,2\nc.jpg,1,two\n", "line 3: head_x is 'two'"),
        ("file,head_y,head_x\na.jpg,inf,2\n", "line 2: head_y is 'inf'"),
        ("file,head_y,head_x\na.jpg,1_0,2\n", "line 2: head_y is '1_0'"),
        ('file,head_y,head_x\na.jpg,"1,5",2\n', "line 2: head_y is '1,5'.*point"),
        ("file,head_y,head_x\na.jpg,1,\n", "line 2: only one of 'head_y' and 'head_x'"),
        ("file,a_y,a_x,a_h,a_w\na.jpg,1,1,,2\n", "line 2: only one of 'a_h' and"),
        ("file,a_y,a_x,a_h,a_w\na.jpg,1,1,-1,2\n", "line 2: sizes of part 'a'.*-1"),
        ("file\na.jpg\nc.jpg\na.jpg\n", "line 4: file 'a.jpg' is there twice.*line 2"),
        ("file\na.jpg\n./a.jpg\n", "line 3: file './a.jpg' is there twice"),
        ("file,split\na.jpg,train\nc.jpg,val\n", "line 3: split 'val'.*'train' or"),
        ("file,split\na.jpg,Train\n", "line 2: split 'Train'"),
        ("file,split\na.jpg,\n", "line 2: split ''.*every row"),
        ("file,name\n,x\n", "line 2: file '' is empty"),
        ("file\n../a.jpg\n", r"line 2: file '../a.jpg' .*'\.\.' is not accepted"),
        ("file\nsub/../a.jpg\n", r"'\.\.' is not accepted"),
        ("file\n/etc/passwd\n", "line 2: .*absolute"),
        ("file\nsub\\b.jpg\n", "line 2: .*backslash"),
        ("file,name\na.jpg,x,y\n", "line 2: it has 3 cells, the header has 2"),
        ("file,name\na.jpg\n", "line 2: it has 1 cells, the header has 2"),
        ('file\n"a.jpg\n', "not valid CSV"),
        ("file,name\na.jpg,x\nc.jpg,\xe9\n".encode("latin-1"), "line 3: it is not UTF"),
        ("file\na.jpg\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest", "spreadsheet"),
    ],
)
def test_refused_tables(folder, text, match):
    refused(folder, text, match)


def test_missing_files_are_counted_and_the_first_five_named(folder):
    names = "".join(f"x{i}.jpg\n" for i in range(7))
    refused(
        folder,
        "file\na.jpg\n" + names,
        r"7 of 8 files are not found .*'x0\.jpg' \(line 3\).*'x4\.jpg'.*and 2 more",
    )
    assert len(read(folder, "file\na.jpg\n" + names, check_files=False)) == 8
    refused(folder, "file\nsub\n", "1 of 1 files are not found")
    refused(folder, f"file\n{'9' * 400}\n", "1 of 1 files are not found")


def test_missing_table(tmp_path):
    with pytest.raises(DataError, match="no such part table"):
        PartTable.read(tmp_path / "parts.csv")
    with pytest.raises(DataError, match="cannot be read"):
        PartTable.read(tmp_path)


def test_links_must_not_leave_the_folder_nor_repeat_a_file(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    Image.new("RGB", (3, 3)).save(outside / "o.jpg")
    (folder / "link.jpg").symlink_to(outside / "o.jpg")
    (folder / "up").symlink_to(outside)
    (folder / "again.jpg").symlink_to(folder / "a.jpg")
    for check in (True, False):
        refused(folder, "file\nlink.jpg\n", "line 2.*leaves", check_files=check)
        refused(folder, "file\na.jpg\nup/o.jpg\n", "line 3.*lea", check_files=check)
    assert read(folder, "file\nagain.jpg\n").files == ("again.jpg",)
    refused(folder, "file\na.jpg\nagain.jpg\n", "line 3.*same file as 'a.jpg'")


def test_the_root_may_be_another_folder(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    refused(elsewhere, TABLE, "not found")
    assert read(elsewhere, TABLE, root=folder).files == FILES


def test_centres_outside_the_image(folder):
    text = "file,p_y,p_x,q_y,q_x\na.jpg,0,12,10,0\nc.jpg,10.5,3,-0.1,3\nsub/b.jpg,,,,\n"
    table = read(folder, text)
    sizes = np.array([[10, 12], [10, 12], [10, 12.0]])
    with pytest.raises(DataError, match=r"2 part centres") as info:
        table.check_centres(sizes)
    assert "line 3, 'c.jpg': 'p' at y=10.5, x=3 in 10 x 12" in str(info.value)
    assert "'q' at y=-0.1, x=3" in str(info.value)
    sizes[1] = np.nan  # not known: not judged
    table.check_centres(sizes)
    with pytest.raises(DataError, match="shape"):
        table.check_centres(sizes[:2])


def test_arrays_of_the_wrong_shape():
    centres = np.zeros((2, 1, 2))
    with pytest.raises(DataError, match="centres must have shape"):
        PartTable(("a", "b"), ("p",), centres[:1], centres)
    with pytest.raises(DataError, match="part name"):
        PartTable(("a", "b"), ("p", "p"), np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))
    with pytest.raises(DataError, match="names has 1 rows"):
        PartTable(("a", "b"), ("p",), centres, centres, names=("x",))
    half = centres.copy()
    half[1, 0, 1] = np.nan
    with pytest.raises(DataError, match="line 3: centres of part 'p'"):
        PartTable(("a", "b"), ("p",), half, centres)


def test_a_table_is_a_copy_of_its_arrays():
    centres = np.ones((1, 1, 2))
    table = PartTable(("a",), ("p",), centres, centres)
    centres[:] = 5
    assert (table.centres == 1).all()


text_cells = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6
).map(str.strip)
file_names = (
    st.text(
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"),
        min_size=1,
        max_size=6,
    )
    .map(str.strip)
    .filter(lambda name: name not in ("", ".", "..") and "\ufeff" not in name)
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
pairs = st.one_of(st.just((np.nan, np.nan)), st.tuples(numbers, numbers))
positive = st.floats(0, allow_infinity=False)
size_pairs = st.one_of(st.just((np.nan, np.nan)), st.tuples(positive, positive))


@st.composite
def tables(draw):
    files = draw(st.lists(file_names, min_size=1, max_size=5, unique=True))
    parts = draw(st.lists(file_names, max_size=3, unique=True))
    count = len(files)

    def grid(cells):
        rows = st.lists(cells, min_size=len(parts), max_size=len(parts))
        drawn = draw(st.lists(rows, min_size=count, max_size=count))
        return np.array(drawn, np.float64).reshape(count, len(parts), 2)

    def column(cells):
        values = st.lists(cells, min_size=count, max_size=count)
        return draw(st.none() | values.map(tuple))

    return PartTable(
        tuple(files),
        tuple(parts),
        grid(pairs),
        grid(size_pairs),
        names=column(text_cells),
        wnids=column(text_cells),
        splits=column(st.sampled_from(["train", "test"])),
    )


@settings(max_examples=80, deadline=None)
@given(table=tables())
def test_what_is_written_is_read_back(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    table.write(path)
    again = PartTable.read(path, check_files=False)
    for field in ("files", "parts", "names", "wnids", "splits"):
        assert getattr(again, field) == getattr(table, field)
    np.testing.assert_array_equal(again.centres, table.centres)
    np.testing.assert_array_equal(again.sizes, table.sizes)


def test_writing_errors(tmp_path):
    empty = np.zeros((1, 0, 2))
    table = PartTable(("a",), (), empty, empty)
    with pytest.raises(DataError, match="cannot be written"):
        table.write(tmp_path / "none" / "parts.csv")
    table = PartTable(("\udc80.jpg",), (), empty, empty)
    with pytest.raises(DataError, match="cannot be written"):
        table.write(tmp_path / "parts.csv")
