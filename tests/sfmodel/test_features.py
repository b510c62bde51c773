import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmodel.features import FeatureSettings, frame_features

SETTINGS = st.builds(
    FeatureSettings,
    spectrum=st.sampled_from([0.5, 1.0]),
    flux=st.sampled_from([0.0, 2.0]),
    chroma=st.sampled_from([0.0, 1.0]),
    chroma_flux=st.sampled_from([0.0, 0.3]),
    power=st.sampled_from([0.5, 1.0, 2.0]),
    smooth=st.booleans(),
)


@given(settings=SETTINGS, bins=st.sampled_from([1, 12, 30, 88]), seed=st.integers(0, 99))
def test_products_are_weighted_means_of_cosines(settings, bins, seed):
    """So a frame with itself has at most 1: less where a part of it is silent."""
    frames = np.random.default_rng(seed).random((2, 5, bins)).astype(np.float16)
    frames[:, 2] = 0
    features = frame_features(frames, settings)
    assert features.dtype == np.float32 and np.isfinite(features).all()
    own = np.einsum("wfb,wfb->wf", features, features)
    assert (own < 1 + 1e-4).all() and (own >= 0).all()
    if not settings.smooth:
        assert (own[:, 2] == 0).all()  # silence resembles nothing


def test_level_does_not_matter_and_pitch_classes_do():
    frames = np.zeros((1, 2, 88))
    frames[0, 0, 10], frames[0, 1, 10] = 1, 2
    loud = frame_features(frames, FeatureSettings())
    assert np.allclose(loud, frame_features(7 * frames, FeatureSettings()))
    octave = np.zeros((1, 2, 88))
    octave[0, :, 22] = 1
    for settings, same in ((FeatureSettings(), 0), (FeatureSettings(spectrum=0, chroma=1), 1)):
        assert (frame_features(frames, settings)[0, 0] @ frame_features(octave, settings)[0, 0]) == pytest.approx(same)


def test_impossible_weights():
    for wrong in ({"spectrum": 0}, {"flux": -1}, {"power": 0}):
        with pytest.raises(ValueError, match="features: weights"):
            FeatureSettings(**wrong)
