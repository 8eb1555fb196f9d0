"""What a network consists of and costs, as data and as a diagram; looking inside one. `graph` is the way in."""
