"""A build while it runs: `model` what is known, `view` what is shown, `picture` and `words` how, `driver` when."""
