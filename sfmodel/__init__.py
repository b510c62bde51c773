"""sfmodel: networks and baselines for score following, trained and measured on sfdata stores."""
