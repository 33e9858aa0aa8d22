"""Pictures of people who do not exist, with exact labels."""
