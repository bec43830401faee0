"""What is done to a captured program before export, so that int8 loses less: for every runtime alike."""
