"""What a screen asks of the rest, one desk per screen: each reads the store for it, and does or passes on what a person wants there."""
