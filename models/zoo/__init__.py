"""The demo models: small Keras networks, trained on real data that libraries bundle."""
