"""What each of the smaller commands does; each module is named as its command."""
