"""DMM: a market-making desk that runs itself and can be audited."""
