"""Parts of scripts/synthesize-speech: text, voices (festival), phones, recording, features, corpus, frames_file."""
