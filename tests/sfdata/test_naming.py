import pytest

from sfdata.naming import PieceName, parse_name, work_keys


@pytest.mark.parametrize(
    "stem, expected",
    [
        (
            "Handel, George Frideric, Air in E major, HWV 425, bNzVz5byPqk",
            PieceName("Air in E major, HWV 425", "George Frideric Handel", "bNzVz5byPqk"),
        ),
        (
            "Liszt, Franz, Hungarian Rhapsody No.2, S.244_2, LdH1hSWGFGU",
            PieceName("Hungarian Rhapsody No.2, S.244_2", "Franz Liszt", "LdH1hSWGFGU"),
        ),
        (
            "Scarlatti_Keyboard_Sonata_in_D_minor_K9_PzzKSiUS-X0_cut",
            PieceName("Keyboard Sonata in D minor K9", "Scarlatti", "PzzKSiUS-X0"),
        ),
        (
            "Chopin_Polonaise_in_F-sharp_minor_Op44_ehm_kDU563Q",
            PieceName("Polonaise in F-sharp minor Op44", "Chopin", "ehm_kDU563Q"),
        ),
        ("take five", PieceName("take five")),
        ("", PieceName("")),
    ],
)
def test_names(stem, expected):
    assert parse_name(stem) == expected


def test_the_whole_opus_and_its_parts_share_a_work():
    whole = parse_name("Chopin, Frédéric, Études, Op.10, g0hoN6_HDVU")
    part = parse_name("Chopin_Etudes_Op10_g0hoN6_HDVU_no_12_cut")
    elsewhere = parse_name("Chopin, Frédéric, Etude in C minor, Op. 10 No. 12, AAAAAAAAAAA")
    assert work_keys(whole, "1") & work_keys(part, "2")
    assert work_keys(whole, "1") & work_keys(elsewhere, "3") == {"catalogue:chopin:op10"}


def test_catalogue_numbers_are_no_mere_letters():
    keys = work_keys(PieceName("Sonata in D 3", "A B"), "1") | work_keys(PieceName("Scherzo 2", "A B"), "1")
    assert "catalogue:b:o2" not in keys
    assert not any(key.startswith("catalogue:b:d2") for key in keys)
