"""Tables, figures and an HTML report of finished runs."""
