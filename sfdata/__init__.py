"""sfdata: training data for score following, from MIDI to aligned spectrogram pairs."""
