import cv2
import numpy as np
import pytest

from anomgan.data.labels import LabelSet, from_domains, join, read_labelled
from anomgan.errors import InputError


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((4, 4), np.uint8))


def table(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def fruit(tmp_path):
    for name in ("plum/1.png", "plum/deep/2.png", "apple/1.png", ".hidden/1.png"):
        write(tmp_path / "fruit" / name)
    return tmp_path / "fruit"


def test_sub_folders_are_classes_in_the_order_of_their_names(fruit):
    read = read_labelled([fruit])
    assert read.sources == [
        fruit / "apple" / "1.png",
        fruit / "plum" / "1.png",
        fruit / "plum" / "deep" / "2.png",
    ]
    assert read.sets == (LabelSet(("apple", "plum"), exclusive=True),)
    assert read.labels.tolist() == [[1, 0], [0, 1], [0, 1]] and read.labels.dtype == np.float32
    assert read.strata.tolist() == [0, 1, 1]


def test_a_table_names_the_class_of_each_file(tmp_path):
    text = "file,kind\n1.png,red\nb/2.png,blue\n3.png,red\n"
    read = read_labelled([table(tmp_path / "set", text)])
    by_file = dict(zip(read.sources, read.labels.tolist(), strict=True))
    assert read.sets == (LabelSet(("blue", "red"), exclusive=True),)
    assert by_file == {
        tmp_path / "set" / "1.png": [0, 1],
        tmp_path / "set" / "b" / "2.png": [1, 0],
        tmp_path / "set" / "3.png": [0, 1],
    }
    assert np.array_equal(read.strata, read.labels.argmax(1))


def test_columns_of_0_and_1_are_attributes_in_their_order(tmp_path):
    text = "\ufeffround,file,dark\n1,1.png,0\n0,2.png,0\n1,3.png,1\n"
    read = read_labelled([table(tmp_path / "set", text)])
    assert read.sources == [tmp_path / "set" / f"{number}.png" for number in (1, 2, 3)]
    assert read.sets == (LabelSet(("round", "dark"), exclusive=False),)
    assert read.labels.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert read.strata.tolist() == [0, 0, 0], "one data set, one stratum"


def test_a_table_says_more_than_the_sub_folders_that_it_lies_beside(fruit):
    table(fruit, "file,ripe\nplum/1.png,1\napple/1.png,0\n")
    assert read_labelled([fruit]).sets == (LabelSet(("ripe",), exclusive=False),)


def test_of_joint_data_sets_each_image_knows_the_labels_of_its_own(fruit, tmp_path):
    traits = table(tmp_path / "traits", "file,old,tall\n1.png,1,0\n2.png,0,0\n")
    colours = table(tmp_path / "colours", "file,colour\n1.png,red\n2.png,blue\n3.png,blue\n")
    read = read_labelled([fruit, traits, colours])
    nan = np.nan
    expected = [
        [1, 0, nan, nan, nan, nan],
        [0, 1, nan, nan, nan, nan],
        [0, 1, nan, nan, nan, nan],
        [nan, nan, 1, 0, nan, nan],
        [nan, nan, 0, 0, nan, nan],
        [nan, nan, nan, nan, 1, 0],
        [nan, nan, nan, nan, 1, 0],
        [nan, nan, nan, nan, 0, 1],
    ]
    assert np.array_equal(read.labels, np.array(expected), equal_nan=True)
    names = [one.names for one in read.sets]
    assert names == [("apple", "plum"), ("old", "tall"), ("blue", "red")]
    assert read.strata.tolist() == [0, 1, 1, 2, 2, 3, 3, 4]
    assert len(read.sources) == 8 and read.sources[3] == traits / "1.png"


def test_a_name_has_one_meaning_in_all_data_sets(fruit, tmp_path):
    other = table(tmp_path / "other", "file,kind\n1.png,plum\n2.png,pear\n")
    with pytest.raises(InputError, match="plum: a label of two data sets; rename it"):
        read_labelled([fruit, other])


def test_domains_may_be_folders_or_lists(fruit):
    image = np.zeros((4, 4), np.uint8)
    domains = from_domains({"z": [image, image], "a": fruit / "plum", "m": str(fruit / "apple")})
    assert domains.sets[0].names == ("z", "a", "m"), "in the order in which they are given"
    assert domains.labels.argmax(1).tolist() == domains.strata.tolist() == [0, 0, 1, 1, 2]
    assert domains.sources[0] is image


def test_joining_one_set_changes_nothing(fruit):
    one = read_labelled([fruit])
    same = join([one])
    assert same.sources == one.sources and same.sets == one.sets
    assert np.array_equal(same.labels, one.labels) and np.array_equal(same.strata, one.strata)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs the column file"),
        ("file,kind\n", "needs the column file"),
        ("file\n1.png\n", "at least one of labels"),
        ("name,kind\n1.png,red\n2.png,blue\n", "needs the column file"),
        ("file,red,size\n1.png,1,big\n", "columns red, size: several columns may hold only 0 and"),
        ("file,red,old\n1.png,1,0\n2.png,1\n", "2.png has no label"),
        ("file,kind\n1.png,red\n2.png,red\n", "a single domain"),
        ("file,kind\n1.png,red\n2.png,blue\n3.png,\n", "3.png has no label"),
    ],
)
def test_a_table_that_cannot_be_used_is_explained(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_labelled([table(tmp_path / "set", text)])


def test_folders_that_cannot_be_used_are_explained(fruit, tmp_path):
    with pytest.raises(InputError, match="there is no folder .*gone"):
        read_labelled([tmp_path / "gone"])
    with pytest.raises(InputError, match=r"plum has no labels: make a sub-folder.*labels\.csv"):
        read_labelled([fruit / "plum"])
    (fruit / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no images"):
        read_labelled([fruit])
    (tmp_path / "labels.csv").write_bytes(b"file,kind\n\xff\xfe,1\n")
    with pytest.raises(InputError, match=r"labels\.csv is not a CSV table"):
        read_labelled([tmp_path])
    with pytest.raises(InputError, match="at least two"):
        from_domains({"only": fruit / "plum"})
    with pytest.raises(InputError, match="a,b: the name of a label must not contain a comma"):
        from_domains({"a,b": fruit / "plum", "c": fruit / "apple"})
    with pytest.raises(InputError, match="domain b has no images"):
        from_domains({"a": fruit / "plum", "b": []})
