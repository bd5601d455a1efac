"""One model x one profile: what is asked, what is recorded, and what that yields."""
